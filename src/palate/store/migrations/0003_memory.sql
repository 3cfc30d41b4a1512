-- What elicitations begin from beside their strategy, and what is not to be remembered any more.
-- From here on the first lines of the steps before are no longer all of it: a row is never changed,
-- and none is deleted by itself; but who asks to be deleted is, with all rows that are theirs.

CREATE TABLE populations (
  digest TEXT PRIMARY KEY,            -- of mean and factor, by which the settings of a prior name it
  d INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  people INTEGER NOT NULL,            -- how many it was learned from
  answers INTEGER NOT NULL,           -- of theirs
  content $bytes NOT NULL,            -- mean, then d rows of the factor: float64, little-endian
  added_at TEXT NOT NULL
);

CREATE TABLE remembered (
  elicitation BIGINT PRIMARY KEY REFERENCES elicitations (number),  -- that began from them
  picks INTEGER NOT NULL,             -- how many, of the same person
  sources TEXT NOT NULL               -- JSON: by earlier elicitation, the oldest first, its number,
                                      -- how many of its events counted, its age in prompts, and how
                                      -- many picks that stood then are left out, the oldest
);

CREATE TABLE forgotten (
  number $identity,
  person BIGINT NOT NULL REFERENCES people (number),
  pool BIGINT REFERENCES pools (number),        -- or NULL: about whatever pool
  upto BIGINT NOT NULL,               -- number of their last elicitation until then
  at TEXT NOT NULL
);
CREATE INDEX forgotten_of_person ON forgotten (person, upto);
