-- What is recorded of human studies. Nothing is ever updated or deleted, here either: whoever is at
-- which stage follows from what is there.

CREATE TABLE studies (
  number $identity,
  id TEXT NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL UNIQUE,   -- SHA-256 of the plan and its tasks: one study each
  plan TEXT NOT NULL,                 -- JSON: the study file
  tasks TEXT NOT NULL,                -- JSON: prompts with their pools, and personas, by domain
  added_at TEXT NOT NULL
);

CREATE TABLE study_participants (
  number $identity,
  id TEXT NOT NULL UNIQUE,            -- the secret of their link
  study BIGINT NOT NULL REFERENCES studies (number),
  ticket TEXT UNIQUE,                 -- of the form that they joined by; NULL for a link made ahead
  simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
  added_at TEXT NOT NULL
);
CREATE INDEX participants_of_study ON study_participants (study, number);

CREATE TABLE study_consents (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  study BIGINT NOT NULL REFERENCES studies (number),
  place INTEGER NOT NULL,             -- from 0, without gaps; the assignment follows from it
  at TEXT NOT NULL,
  UNIQUE (study, place)
);

CREATE TABLE study_elicitations (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  elicitation TEXT NOT NULL UNIQUE REFERENCES elicitations (id)
);

CREATE TABLE study_starts (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  at TEXT NOT NULL                    -- when they had read stage 1
);

CREATE TABLE study_matchups (
  id TEXT PRIMARY KEY,
  participant BIGINT NOT NULL REFERENCES study_participants (number),
  place INTEGER NOT NULL,             -- from 0, in the order in which they are shown
  arms TEXT NOT NULL,                 -- JSON: early, late, random; or attention alone
  response INTEGER NOT NULL,          -- place in the pool of what is set against the baseline
  baseline_first INTEGER NOT NULL CHECK (baseline_first IN (0, 1)),
  at TEXT NOT NULL,
  UNIQUE (participant, place)
);

CREATE TABLE study_judgements (
  matchup TEXT PRIMARY KEY REFERENCES study_matchups (id),
  picked INTEGER NOT NULL CHECK (picked IN (0, 1)),  -- as shown
  response_ms BIGINT,
  at TEXT NOT NULL
);
