BEGIN TRANSACTION;
CREATE TABLE added_responses (
  elicitation BIGINT NOT NULL,
  event INTEGER NOT NULL,
  position INTEGER NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (elicitation, event, position),
  FOREIGN KEY (elicitation, event) REFERENCES events (elicitation, number)
);
INSERT INTO "added_responses" VALUES(4,4,4,'{"id": "r5", "text": "Far off."}');
CREATE TABLE elicitations (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  person BIGINT NOT NULL REFERENCES people (number),
  pool BIGINT NOT NULL REFERENCES pools (number),
  strategy TEXT NOT NULL,
  settings TEXT NOT NULL,
  seed BIGINT NOT NULL,
  fingerprint TEXT NOT NULL,
  started_at TEXT NOT NULL
);
INSERT INTO "elicitations" VALUES(1,'IKbuiJNRjOZ8jYG-',1,1,'eubo','{"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 2, "max_steps": null, "tolerance": 0.0, "recheck": true}',1,'{"pool": "cf00b7edb2e3e7dc", "features": "5e2342df3d43d05d", "strategy": {"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 2, "max_steps": null, "tolerance": 0.0, "recheck": true}, "seed": 1}','2026-11-21T15:54:44.520+00:00');
INSERT INTO "elicitations" VALUES(2,'r4vvFTJS8IhL2sfh',1,2,'eubo','{"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 2, "max_steps": null, "tolerance": 0.0, "recheck": true}',1,'{"pool": "edea5d7adc44c013", "features": "344184b045720c0e", "strategy": {"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 2, "max_steps": null, "tolerance": 0.0, "recheck": true}, "seed": 1}','2026-11-21T15:54:44.529+00:00');
INSERT INTO "elicitations" VALUES(3,'VDiHWrD7--mkpsVl',2,1,'eubo','{"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 2, "max_steps": null, "tolerance": 0.0, "recheck": true}',1,'{"pool": "cf00b7edb2e3e7dc", "features": "5e2342df3d43d05d", "strategy": {"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 2, "max_steps": null, "tolerance": 0.0, "recheck": true}, "seed": 1}','2026-11-21T15:54:44.537+00:00');
INSERT INTO "elicitations" VALUES(4,'HXGlgJNMArPJQcjn',2,2,'eubo','{"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 2, "max_steps": null, "tolerance": 0.0, "recheck": true}',1,'{"pool": "edea5d7adc44c013", "features": "344184b045720c0e", "strategy": {"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 2, "max_steps": null, "tolerance": 0.0, "recheck": true}, "seed": 1}','2026-11-21T15:54:44.545+00:00');
INSERT INTO "elicitations" VALUES(5,'O6aKvdGbZdv79vEY',1,3,'eubo','{"name": "eubo", "prior": {"name": "remembering", "base": {"name": "mixture", "priors": [{"name": "population", "digest": "5ddb958857b4eb24a4e6aaf1a44b0c9d", "remainder": 0.02, "residual": 0.05, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, {"name": "population", "digest": "5ddb958857b4eb24a4e6aaf1a44b0c9d", "remainder": 0.02, "residual": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}], "weights": [0.45, 0.45, 0.1]}, "past": "0fd7578bacb56e91d1e982efc4c94e01", "keep": 0.9}, "options": 2, "max_steps": null, "tolerance": 0.02, "recheck": true}',1,'{"pool": "a30edd6447a3b4c4", "features": "c19bfd764dfc260d", "strategy": {"name": "eubo", "prior": {"name": "remembering", "base": {"name": "mixture", "priors": [{"name": "population", "digest": "5ddb958857b4eb24a4e6aaf1a44b0c9d", "remainder": 0.02, "residual": 0.05, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, {"name": "population", "digest": "5ddb958857b4eb24a4e6aaf1a44b0c9d", "remainder": 0.02, "residual": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}], "weights": [0.45, 0.45, 0.1]}, "past": "0fd7578bacb56e91d1e982efc4c94e01", "keep": 0.9}, "options": 2, "max_steps": null, "tolerance": 0.02, "recheck": true}, "seed": 1}','2026-11-21T15:54:44.561+00:00');
INSERT INTO "elicitations" VALUES(6,'HJDioaDvm4EUqNks',2,3,'eubo','{"name": "eubo", "prior": {"name": "remembering", "base": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "past": "ffd84335429cd1781f3c0a05d7b83787", "keep": 0.9}, "options": 2, "max_steps": null, "tolerance": 0.02, "recheck": true}',2,'{"pool": "a30edd6447a3b4c4", "features": "c19bfd764dfc260d", "strategy": {"name": "eubo", "prior": {"name": "remembering", "base": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "past": "ffd84335429cd1781f3c0a05d7b83787", "keep": 0.9}, "options": 2, "max_steps": null, "tolerance": 0.02, "recheck": true}, "seed": 2}','2026-11-21T15:54:44.566+00:00');
CREATE TABLE events (
  elicitation BIGINT NOT NULL REFERENCES elicitations (number),
  number INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('pick', 'order', 'tie', 'skip', 'undo', 'extend')),
  query TEXT UNIQUE REFERENCES queries (id),
  said TEXT,
  response_ms BIGINT,
  pending TEXT REFERENCES queries (id),
  features TEXT REFERENCES feature_arrays (fingerprint),
  at TEXT NOT NULL,
  PRIMARY KEY (elicitation, number),
  CHECK ((query IS NULL) = (kind IN ('undo', 'extend')))
);
INSERT INTO "events" VALUES(1,1,'pick','FoY9d1t6A_YNjSf_','["r4"]',NULL,NULL,NULL,'2026-11-21T15:54:44.521+00:00');
INSERT INTO "events" VALUES(1,2,'pick','cNmhMuEfdvBOeqPq','["r1"]',NULL,NULL,NULL,'2026-11-21T15:54:44.524+00:00');
INSERT INTO "events" VALUES(1,3,'skip','CMvE-FeENmsxjxcJ',NULL,NULL,NULL,NULL,'2026-11-21T15:54:44.527+00:00');
INSERT INTO "events" VALUES(2,1,'pick','AVcox03t8_b6r3Iw','["r2"]',NULL,NULL,NULL,'2026-11-21T15:54:44.530+00:00');
INSERT INTO "events" VALUES(2,2,'pick','5N6BlvhaGaWEWvpF','["r1"]',NULL,NULL,NULL,'2026-11-21T15:54:44.533+00:00');
INSERT INTO "events" VALUES(2,3,'skip','55VZ7Da143QokkNh',NULL,NULL,NULL,NULL,'2026-11-21T15:54:44.536+00:00');
INSERT INTO "events" VALUES(3,1,'pick','Vh65o_ZydP-bI-ab','["r4"]',NULL,NULL,NULL,'2026-11-21T15:54:44.538+00:00');
INSERT INTO "events" VALUES(3,2,'pick','aF1jXRDP0CCT2z-K','["r1"]',NULL,NULL,NULL,'2026-11-21T15:54:44.541+00:00');
INSERT INTO "events" VALUES(3,3,'skip','IZfOmvUdJYy7s2Vp',NULL,NULL,NULL,NULL,'2026-11-21T15:54:44.544+00:00');
INSERT INTO "events" VALUES(4,1,'pick','8TGqhg2Ww3Um53wa','["r2"]',NULL,NULL,NULL,'2026-11-21T15:54:44.546+00:00');
INSERT INTO "events" VALUES(4,2,'pick','nFjsUKOJuMte9fWd','["r1"]',NULL,NULL,NULL,'2026-11-21T15:54:44.549+00:00');
INSERT INTO "events" VALUES(4,3,'skip','NVGmWytUQMnCVrhd',NULL,NULL,NULL,NULL,'2026-11-21T15:54:44.552+00:00');
INSERT INTO "events" VALUES(4,4,'extend',NULL,NULL,NULL,NULL,'ed9a443ebb2e678adc0a729aae826330617f8aef013a782497979e3714cf48e4','2026-11-21T15:54:44.554+00:00');
INSERT INTO "events" VALUES(6,1,'pick','W_dvqNTAp9w5IFAv','["r1"]',NULL,NULL,NULL,'2026-11-21T15:54:44.568+00:00');
CREATE TABLE feature_arrays (
  fingerprint TEXT PRIMARY KEY,
  dtype TEXT NOT NULL,
  n INTEGER NOT NULL,
  d INTEGER NOT NULL,
  content BLOB NOT NULL
);
INSERT INTO "feature_arrays" VALUES('8e23742ea513e8b8e248ad73639422729dacd1d8546537c3c89dfbe21a9024b5','float64',4,3,X'DF9DF17E719DC83F40C088D6B0D5DC3F153DBF615C35C73FE2A4721A57DBE6BF0A1A3A58E0FFDF3FD781ED10DBA5CF3FB41A280A1DFDD2BF7F7B5A273265D43F45CE8A0D7C51C93F7F7B5A273265C43F83895C5EFDE0903FE7B274512257D33F');
INSERT INTO "feature_arrays" VALUES('4aa0f6acdbfbc89f92321c4773cbf36e78e9bff28d247f09e08b07a349cad090','float64',4,3,X'19C7329EFC5EA93F2CA35836F05BC1BF145029B8BF5FBBBFA5704ADD145DE4BFB90672856E0BDE3F5215A6763D07D33FCCE2971D6208B6BFEEDDDB7772B4C93F7FFEFC9CC7B1B23FAAE753C3515CC2BFAE5E5DA98E5BD03F7987F3B68AB2B4BF');
INSERT INTO "feature_arrays" VALUES('8166153add49ef1a8855bebb1e332649a2198e1f52526dca4cac8f195a411ef0','float64',4,3,X'490281A8D13ED83FC5E9A605F36CDEBF6989B57B7FF7B33F33A808710819BBBF5F5CF9DF9A64B5BFB8C0E213E7EAA4BF76B475C2F701D8BF06F80FAC4EDEA5BFE472D72D0DAEC4BF963BAA95A5BAE33F06F80FAC4EDEA53FD84717E794A3B0BF');
INSERT INTO "feature_arrays" VALUES('ed9a443ebb2e678adc0a729aae826330617f8aef013a782497979e3714cf48e4','float64',1,3,X'000000000000224000000000000022400000000000002240');
CREATE TABLE forgotten (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  person BIGINT NOT NULL REFERENCES people (number),
  pool BIGINT REFERENCES pools (number),
  upto BIGINT NOT NULL,
  at TEXT NOT NULL
);
INSERT INTO "forgotten" VALUES(1,1,NULL,5,'2026-11-21T15:54:44.571+00:00');
INSERT INTO "forgotten" VALUES(2,2,1,6,'2026-11-21T15:54:44.572+00:00');
CREATE TABLE people (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT UNIQUE,
  added_at TEXT NOT NULL
);
INSERT INTO "people" VALUES(1,'9qoO44Ku0RTufd-P','Ann','2026-11-21T15:54:44.512+00:00');
INSERT INTO "people" VALUES(2,'iyIOgPSeKpnsdQEH','Bob','2026-11-21T15:54:44.513+00:00');
CREATE TABLE pools (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT,
  prompt TEXT NOT NULL,
  baseline TEXT,
  embedder TEXT,
  scaling TEXT NOT NULL,
  scale DOUBLE PRECISION NOT NULL,
  features TEXT REFERENCES feature_arrays (fingerprint),
  added_at TEXT NOT NULL
);
INSERT INTO "pools" VALUES(1,'g4fp5hN7lGGhfLX9',NULL,'"Which of 1?"',NULL,'"made-up"','diameter',5.49442255794756140296e-01,'8e23742ea513e8b8e248ad73639422729dacd1d8546537c3c89dfbe21a9024b5','2026-11-21T15:54:44.514+00:00');
INSERT INTO "pools" VALUES(2,'e4vVdUQfLsWdnNcr',NULL,'"Which of 2?"',NULL,'"made-up"','diameter',2.60804298357321495682e-01,'4aa0f6acdbfbc89f92321c4773cbf36e78e9bff28d247f09e08b07a349cad090','2026-11-21T15:54:44.516+00:00');
INSERT INTO "pools" VALUES(3,'zWpnits5eBXLHVgW',NULL,'"Which of 3?"',NULL,'"made-up"','diameter',1.85703022599047307128e-01,'8166153add49ef1a8855bebb1e332649a2198e1f52526dca4cac8f195a411ef0','2026-11-21T15:54:44.517+00:00');
CREATE TABLE populations (
  digest TEXT PRIMARY KEY,
  d INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  people INTEGER NOT NULL,
  answers INTEGER NOT NULL,
  content BLOB NOT NULL,
  added_at TEXT NOT NULL
);
INSERT INTO "populations" VALUES('5ddb958857b4eb24a4e6aaf1a44b0c9d',3,2,9,90,X'000000000000F03F0000000000000000000000000000F0BF000000000000F03F000000000000000000000000000000000000000000000000000000000000F03F0000000000000000','2026-11-21T15:54:44.561+00:00');
CREATE TABLE queries (
  id TEXT PRIMARY KEY,
  elicitation BIGINT NOT NULL REFERENCES elicitations (number),
  after_event INTEGER NOT NULL,
  number INTEGER NOT NULL,
  shown TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  UNIQUE (elicitation, after_event)
);
INSERT INTO "queries" VALUES('FoY9d1t6A_YNjSf_',1,0,0,'["r4", "r3"]','2026-11-21T15:54:44.520+00:00');
INSERT INTO "queries" VALUES('cNmhMuEfdvBOeqPq',1,1,1,'["r4", "r1"]','2026-11-21T15:54:44.524+00:00');
INSERT INTO "queries" VALUES('CMvE-FeENmsxjxcJ',1,2,2,'["r2", "r1"]','2026-11-21T15:54:44.527+00:00');
INSERT INTO "queries" VALUES('AVcox03t8_b6r3Iw',2,0,0,'["r2", "r3"]','2026-11-21T15:54:44.530+00:00');
INSERT INTO "queries" VALUES('5N6BlvhaGaWEWvpF',2,1,1,'["r2", "r1"]','2026-11-21T15:54:44.532+00:00');
INSERT INTO "queries" VALUES('55VZ7Da143QokkNh',2,2,2,'["r4", "r1"]','2026-11-21T15:54:44.535+00:00');
INSERT INTO "queries" VALUES('Vh65o_ZydP-bI-ab',3,0,0,'["r4", "r3"]','2026-11-21T15:54:44.538+00:00');
INSERT INTO "queries" VALUES('aF1jXRDP0CCT2z-K',3,1,1,'["r4", "r1"]','2026-11-21T15:54:44.540+00:00');
INSERT INTO "queries" VALUES('IZfOmvUdJYy7s2Vp',3,2,2,'["r2", "r1"]','2026-11-21T15:54:44.543+00:00');
INSERT INTO "queries" VALUES('8TGqhg2Ww3Um53wa',4,0,0,'["r2", "r3"]','2026-11-21T15:54:44.546+00:00');
INSERT INTO "queries" VALUES('nFjsUKOJuMte9fWd',4,1,1,'["r2", "r1"]','2026-11-21T15:54:44.549+00:00');
INSERT INTO "queries" VALUES('NVGmWytUQMnCVrhd',4,2,2,'["r4", "r1"]','2026-11-21T15:54:44.552+00:00');
INSERT INTO "queries" VALUES('xFBunJksC7YNYvgH',5,0,0,'["r3", "r4"]','2026-11-21T15:54:44.567+00:00');
INSERT INTO "queries" VALUES('W_dvqNTAp9w5IFAv',6,0,0,'["r1", "r3"]','2026-11-21T15:54:44.567+00:00');
INSERT INTO "queries" VALUES('nmLdJLuJlSHkBxk8',6,1,1,'["r4", "r1"]','2026-11-21T15:54:44.570+00:00');
CREATE TABLE remembered (
  elicitation BIGINT PRIMARY KEY REFERENCES elicitations (number),
  picks INTEGER NOT NULL,
  sources TEXT NOT NULL


);
INSERT INTO "remembered" VALUES(5,4,'[{"elicitation": 1, "events": 3, "age": 2, "left_out": 0}, {"elicitation": 2, "events": 3, "age": 1, "left_out": 0}]');
INSERT INTO "remembered" VALUES(6,4,'[{"elicitation": 3, "events": 3, "age": 2, "left_out": 0}, {"elicitation": 4, "events": 4, "age": 1, "left_out": 0}]');
CREATE TABLE responses (
  pool BIGINT NOT NULL REFERENCES pools (number),
  position INTEGER NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (pool, position)
);
INSERT INTO "responses" VALUES(1,0,'{"id": "r1", "text": "Text 0 of 1."}');
INSERT INTO "responses" VALUES(1,1,'{"id": "r2", "text": "Text 1 of 1."}');
INSERT INTO "responses" VALUES(1,2,'{"id": "r3", "text": "Text 2 of 1."}');
INSERT INTO "responses" VALUES(1,3,'{"id": "r4", "text": "Text 3 of 1."}');
INSERT INTO "responses" VALUES(2,0,'{"id": "r1", "text": "Text 0 of 2."}');
INSERT INTO "responses" VALUES(2,1,'{"id": "r2", "text": "Text 1 of 2."}');
INSERT INTO "responses" VALUES(2,2,'{"id": "r3", "text": "Text 2 of 2."}');
INSERT INTO "responses" VALUES(2,3,'{"id": "r4", "text": "Text 3 of 2."}');
INSERT INTO "responses" VALUES(3,0,'{"id": "r1", "text": "Text 0 of 3."}');
INSERT INTO "responses" VALUES(3,1,'{"id": "r2", "text": "Text 1 of 3."}');
INSERT INTO "responses" VALUES(3,2,'{"id": "r3", "text": "Text 2 of 3."}');
INSERT INTO "responses" VALUES(3,3,'{"id": "r4", "text": "Text 3 of 3."}');
CREATE TABLE schema_version (version INTEGER PRIMARY KEY, at TEXT NOT NULL);
INSERT INTO "schema_version" VALUES(1,'2026-11-21T15:54:44.509+00:00');
INSERT INTO "schema_version" VALUES(2,'2026-11-21T15:54:44.510+00:00');
INSERT INTO "schema_version" VALUES(3,'2026-11-21T15:54:44.511+00:00');
CREATE TABLE studies (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL UNIQUE,
  plan TEXT NOT NULL,
  tasks TEXT NOT NULL,
  added_at TEXT NOT NULL
);
CREATE TABLE study_consents (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  study BIGINT NOT NULL REFERENCES studies (number),
  place INTEGER NOT NULL,
  at TEXT NOT NULL,
  UNIQUE (study, place)
);
CREATE TABLE study_elicitations (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  elicitation TEXT NOT NULL UNIQUE REFERENCES elicitations (id)
);
CREATE TABLE study_judgements (
  matchup TEXT PRIMARY KEY REFERENCES study_matchups (id),
  picked INTEGER NOT NULL CHECK (picked IN (0, 1)),
  response_ms BIGINT,
  at TEXT NOT NULL
);
CREATE TABLE study_matchups (
  id TEXT PRIMARY KEY,
  participant BIGINT NOT NULL REFERENCES study_participants (number),
  place INTEGER NOT NULL,
  arms TEXT NOT NULL,
  response INTEGER NOT NULL,
  baseline_first INTEGER NOT NULL CHECK (baseline_first IN (0, 1)),
  at TEXT NOT NULL,
  UNIQUE (participant, place)
);
CREATE TABLE study_participants (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  study BIGINT NOT NULL REFERENCES studies (number),
  ticket TEXT UNIQUE,
  simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
  added_at TEXT NOT NULL
);
CREATE TABLE study_starts (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  at TEXT NOT NULL
);
CREATE INDEX elicitations_of_person ON elicitations (person, number);
CREATE INDEX elicitations_of_pool ON elicitations (pool, number);
CREATE INDEX participants_of_study ON study_participants (study, number);
CREATE INDEX forgotten_of_person ON forgotten (person, upto);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('people',3);
INSERT INTO "sqlite_sequence" VALUES('pools',3);
INSERT INTO "sqlite_sequence" VALUES('elicitations',7);
INSERT INTO "sqlite_sequence" VALUES('forgotten',2);
COMMIT;
