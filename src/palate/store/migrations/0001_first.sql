-- What is recorded of people, pools and elicitations. Nothing is ever updated or deleted.
-- JSON is ASCII: half an emoji or a NUL in a text is escaped, which TEXT could not hold.
-- Times are ISO 8601 in UTC. Ids are drawn at random; numbers give the order.

CREATE TABLE people (
  number $identity,
  id TEXT NOT NULL UNIQUE,
  name TEXT UNIQUE,                   -- the application's own, or NULL
  added_at TEXT NOT NULL
);

CREATE TABLE feature_arrays (
  fingerprint TEXT PRIMARY KEY,       -- SHA-256 of the dtype, the shape and the content
  dtype TEXT NOT NULL,                -- float32 or float64
  n INTEGER NOT NULL,
  d INTEGER NOT NULL,
  content $bytes NOT NULL             -- n rows of d numbers, little-endian
);

CREATE TABLE pools (
  number $identity,
  id TEXT NOT NULL UNIQUE,
  name TEXT,                          -- JSON: a text, its id in a file; or NULL
  prompt TEXT NOT NULL,               -- JSON: a text
  baseline TEXT,                      -- JSON: a response, or NULL
  embedder TEXT,                      -- JSON: a text, what made the features; or NULL
  scaling TEXT NOT NULL,
  scale DOUBLE PRECISION NOT NULL,
  features TEXT REFERENCES feature_arrays (fingerprint),  -- scaled
  added_at TEXT NOT NULL
);

CREATE TABLE responses (
  pool BIGINT NOT NULL REFERENCES pools (number),
  position INTEGER NOT NULL,
  content TEXT NOT NULL,              -- JSON: id, text or image, and metadata
  PRIMARY KEY (pool, position)
);

CREATE TABLE elicitations (
  number $identity,
  id TEXT NOT NULL UNIQUE,
  person BIGINT NOT NULL REFERENCES people (number),
  pool BIGINT NOT NULL REFERENCES pools (number),
  strategy TEXT NOT NULL,             -- its name
  settings TEXT NOT NULL,             -- JSON: with the name
  seed BIGINT NOT NULL,
  fingerprint TEXT NOT NULL,          -- JSON: of pool, features, strategy and seed
  started_at TEXT NOT NULL
);
CREATE INDEX elicitations_of_person ON elicitations (person, number);
CREATE INDEX elicitations_of_pool ON elicitations (pool, number);

CREATE TABLE queries (
  id TEXT PRIMARY KEY,
  elicitation BIGINT NOT NULL REFERENCES elicitations (number),
  after_event INTEGER NOT NULL,       -- number of the event it follows; 0 before the first
  number INTEGER NOT NULL,            -- how many answers stood before it
  shown TEXT NOT NULL,                -- JSON: ids of the responses, in the order shown
  asked_at TEXT NOT NULL,
  UNIQUE (elicitation, after_event)
);

CREATE TABLE events (
  elicitation BIGINT NOT NULL REFERENCES elicitations (number),
  number INTEGER NOT NULL,            -- from 1, without gaps
  kind TEXT NOT NULL CHECK (kind IN ('pick', 'order', 'tie', 'skip', 'undo', 'extend')),
  query TEXT UNIQUE REFERENCES queries (id),    -- what was answered
  said TEXT,                          -- JSON: ids of the responses picked, best first
  response_ms BIGINT,                 -- how long the person took
  pending TEXT REFERENCES queries (id),         -- what waited when the pool grew
  features TEXT REFERENCES feature_arrays (fingerprint),  -- of what joined, not scaled
  at TEXT NOT NULL,
  PRIMARY KEY (elicitation, number),
  CHECK ((query IS NULL) = (kind IN ('undo', 'extend')))
);

CREATE TABLE added_responses (
  elicitation BIGINT NOT NULL,
  event INTEGER NOT NULL,
  position INTEGER NOT NULL,          -- in the pool as it is then
  content TEXT NOT NULL,              -- JSON: as in responses
  PRIMARY KEY (elicitation, event, position),
  FOREIGN KEY (elicitation, event) REFERENCES events (elicitation, number)
);
