BEGIN TRANSACTION;
CREATE TABLE added_responses (
  elicitation BIGINT NOT NULL,
  event INTEGER NOT NULL,
  position INTEGER NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (elicitation, event, position),
  FOREIGN KEY (elicitation, event) REFERENCES events (elicitation, number)
);
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
INSERT INTO "elicitations" VALUES(1,'mBY2A6rfLTSp5n2K',1,2,'iidbest','{"name": "iidbest", "max_steps": 3, "norm_bound": 3.0}',220311310,'{"pool": "521a35a0ff562863", "features": "aeeece465a18b3d5", "strategy": {"name": "iidbest", "max_steps": 3, "norm_bound": 3.0}, "seed": 220311310}','2026-11-21T14:11:40.436+00:00');
INSERT INTO "elicitations" VALUES(2,'C-jw9iD6K2TgXvdH',2,2,'useralign','{"name": "useralign", "epsilon": null, "delta": 0.05, "norm_bound": 3.0, "max_steps": 3, "estimate": "mle"}',2712627468,'{"pool": "521a35a0ff562863", "features": "aeeece465a18b3d5", "strategy": {"name": "useralign", "epsilon": null, "delta": 0.05, "norm_bound": 3.0, "max_steps": 3, "estimate": "mle"}, "seed": 2712627468}','2026-11-21T14:11:40.676+00:00');
INSERT INTO "elicitations" VALUES(3,'-vEduI5c-KZVhPO2',3,2,'iidbest','{"name": "iidbest", "max_steps": 3, "norm_bound": 3.0}',3988040364,'{"pool": "521a35a0ff562863", "features": "aeeece465a18b3d5", "strategy": {"name": "iidbest", "max_steps": 3, "norm_bound": 3.0}, "seed": 3988040364}','2026-11-21T14:11:40.909+00:00');
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
INSERT INTO "events" VALUES(1,1,'pick','wapaCvYP5NL40BpD','["r5"]',NULL,NULL,NULL,'2026-11-21T14:11:40.475+00:00');
INSERT INTO "events" VALUES(1,2,'pick','Xn5l0pBoELN2bb1x','["r2"]',NULL,NULL,NULL,'2026-11-21T14:11:40.494+00:00');
INSERT INTO "events" VALUES(1,3,'pick','h_MZpuy8FNNzc07o','["r4"]',NULL,NULL,NULL,'2026-11-21T14:11:40.509+00:00');
INSERT INTO "events" VALUES(2,1,'pick','CwI-eYfha9xU1fYM','["r0"]',NULL,NULL,NULL,'2026-11-21T14:11:40.715+00:00');
INSERT INTO "events" VALUES(2,2,'pick','p9W5EfNgZbdRXzq0','["r5"]',NULL,NULL,NULL,'2026-11-21T14:11:40.730+00:00');
INSERT INTO "events" VALUES(2,3,'pick','V_1JacYYOYmYIaKx','["r2"]',NULL,NULL,NULL,'2026-11-21T14:11:40.745+00:00');
CREATE TABLE feature_arrays (
  fingerprint TEXT PRIMARY KEY,
  dtype TEXT NOT NULL,
  n INTEGER NOT NULL,
  d INTEGER NOT NULL,
  content BLOB NOT NULL
);
INSERT INTO "feature_arrays" VALUES('fd4e9b992856d34f1a02922ff31c12301d935a466b8acbf70ca1c7ff6864552d','float64',6,3,X'F802CB44ABFAD23F83C33C1CF696C03FF2BAA06FBBC6D13F75359A3463DCD0BF7BBEE43D21A6D43FBC86BC17466ADA3FCE8D97CA3341D53F1E37A36041FACABFA727B1408301D73F4F4867EF0C14D43F7ABE7F7BDC40C1BF8A517017CB6EC83F155F5191326BC13F7488BA1C0338B63F41F67902FD55DCBF13D1E703B9D3DFBFF7D0901C4931B0BFEB1BF78834F5C6BF');
INSERT INTO "feature_arrays" VALUES('21780c444fabe19fd02dda281ee25acce50abc00965a16dc32a70ce5eb218d52','float64',6,3,X'70F387DA02E8C53F059178796462C5BFA3B269802AB2E13FD3A4CE7A50F5B2BFB0993FC338CAC5BF7BE9084407C2CDBF3012B92CB62AC53F9A21D350D19DC23FCBCFF9B3D747ADBF85F4B94A3F8CB03FC204C057CD9ABCBFDE013EE73D25DCBFB239437750E1CD3F4C757402DBF0B13FE2A0EE165DC8C8BF04D7C4A6DCD5BFBFD5DC66A05315B53F4F9539B5FC22B7BF');
CREATE TABLE people (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT UNIQUE,
  added_at TEXT NOT NULL
);
INSERT INTO "people" VALUES(1,'rMEZYosRM4ystDsp',NULL,'2026-11-21T14:11:40.434+00:00');
INSERT INTO "people" VALUES(2,'vo3lXjK3rgt6SM7C',NULL,'2026-11-21T14:11:40.674+00:00');
INSERT INTO "people" VALUES(3,'K9xNdbunuhbikl9Q',NULL,'2026-11-21T14:11:40.896+00:00');
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
INSERT INTO "pools" VALUES(1,'e_XiSIr1_mGYxQ0J','"p0"','"Tea for 0?"','{"id": "baseline", "text": "Water **0**."}',NULL,'diameter',3.7764912308426212828e-01,'fd4e9b992856d34f1a02922ff31c12301d935a466b8acbf70ca1c7ff6864552d','2026-11-21T14:11:39.874+00:00');
INSERT INTO "pools" VALUES(2,'zq8QNwn16NUyajag','"p1"','"Tea for 1?"','{"id": "baseline", "text": "Water **1**."}',NULL,'diameter',1.95261552279585609559e-01,'21780c444fabe19fd02dda281ee25acce50abc00965a16dc32a70ce5eb218d52','2026-11-21T14:11:39.884+00:00');
CREATE TABLE queries (
  id TEXT PRIMARY KEY,
  elicitation BIGINT NOT NULL REFERENCES elicitations (number),
  after_event INTEGER NOT NULL,
  number INTEGER NOT NULL,
  shown TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  UNIQUE (elicitation, after_event)
);
INSERT INTO "queries" VALUES('wapaCvYP5NL40BpD',1,0,0,'["r5", "r1"]','2026-11-21T14:11:40.438+00:00');
INSERT INTO "queries" VALUES('Xn5l0pBoELN2bb1x',1,1,1,'["r2", "r0"]','2026-11-21T14:11:40.486+00:00');
INSERT INTO "queries" VALUES('h_MZpuy8FNNzc07o',1,2,2,'["r4", "r2"]','2026-11-21T14:11:40.501+00:00');
INSERT INTO "queries" VALUES('CwI-eYfha9xU1fYM',2,0,0,'["r0", "r3"]','2026-11-21T14:11:40.697+00:00');
INSERT INTO "queries" VALUES('p9W5EfNgZbdRXzq0',2,1,1,'["r5", "r0"]','2026-11-21T14:11:40.723+00:00');
INSERT INTO "queries" VALUES('V_1JacYYOYmYIaKx',2,2,2,'["r2", "r5"]','2026-11-21T14:11:40.738+00:00');
INSERT INTO "queries" VALUES('dlAlF4cutMKKb4BZ',3,0,0,'["r2", "r1"]','2026-11-21T14:11:40.917+00:00');
CREATE TABLE responses (
  pool BIGINT NOT NULL REFERENCES pools (number),
  position INTEGER NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (pool, position)
);
INSERT INTO "responses" VALUES(1,0,'{"id": "r0", "text": "Tea **0.0** with a leaf."}');
INSERT INTO "responses" VALUES(1,1,'{"id": "r1", "text": "Tea **0.1** with a leaf."}');
INSERT INTO "responses" VALUES(1,2,'{"id": "r2", "text": "Tea **0.2** with a leaf."}');
INSERT INTO "responses" VALUES(1,3,'{"id": "r3", "text": "Tea **0.3** with a leaf."}');
INSERT INTO "responses" VALUES(1,4,'{"id": "r4", "text": "Tea **0.4** with a leaf."}');
INSERT INTO "responses" VALUES(1,5,'{"id": "r5", "text": "Tea **0.5** with a leaf."}');
INSERT INTO "responses" VALUES(2,0,'{"id": "r0", "text": "Tea **1.0** with a leaf."}');
INSERT INTO "responses" VALUES(2,1,'{"id": "r1", "text": "Tea **1.1** with a leaf."}');
INSERT INTO "responses" VALUES(2,2,'{"id": "r2", "text": "Tea **1.2** with a leaf."}');
INSERT INTO "responses" VALUES(2,3,'{"id": "r3", "text": "Tea **1.3** with a leaf."}');
INSERT INTO "responses" VALUES(2,4,'{"id": "r4", "text": "Tea **1.4** with a leaf."}');
INSERT INTO "responses" VALUES(2,5,'{"id": "r5", "text": "Tea **1.5** with a leaf."}');
CREATE TABLE schema_version (version INTEGER PRIMARY KEY, at TEXT NOT NULL);
INSERT INTO "schema_version" VALUES(1,'2026-11-21T14:11:39.858+00:00');
INSERT INTO "schema_version" VALUES(2,'2026-11-21T14:11:39.859+00:00');
CREATE TABLE studies (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL UNIQUE,
  plan TEXT NOT NULL,
  tasks TEXT NOT NULL,
  added_at TEXT NOT NULL
);
INSERT INTO "studies" VALUES(1,'xK0AZssbsXKcVsDc','2d3e751471c0e6fdc9b7f27f263f935cc30e56f9d7894d1d67992d098fa8b640','{"title": "Which tea?", "consent": "You compare **teas**. It takes a minute.", "domains": [{"name": "teas", "prompts": null, "personas": null, "comparisons": 3, "early": 2}], "methods": [{"label": "useralign", "name": "useralign"}, {"label": "IIDBEST", "name": "iidbest"}], "conditions": ["persona", "own"], "random": true, "attention_check": true, "allow": [], "completion_code": "LEAF-42", "participants": 100, "seed": 0}','[[{"id": "p0", "pool": "e_XiSIr1_mGYxQ0J", "personas": [{"id": "s00", "text": "Person 0 of 0."}, {"id": "s01", "text": "Person 1 of 0."}]}, {"id": "p1", "pool": "zq8QNwn16NUyajag", "personas": [{"id": "s10", "text": "Person 0 of 1."}, {"id": "s11", "text": "Person 1 of 1."}]}]]','2026-11-21T14:11:39.888+00:00');
CREATE TABLE study_consents (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  study BIGINT NOT NULL REFERENCES studies (number),
  place INTEGER NOT NULL,
  at TEXT NOT NULL,
  UNIQUE (study, place)
);
INSERT INTO "study_consents" VALUES(1,1,0,'2026-11-21T14:11:40.395+00:00');
INSERT INTO "study_consents" VALUES(2,1,1,'2026-11-21T14:11:40.658+00:00');
INSERT INTO "study_consents" VALUES(3,1,2,'2026-11-21T14:11:40.840+00:00');
CREATE TABLE study_elicitations (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  elicitation TEXT NOT NULL UNIQUE REFERENCES elicitations (id)
);
INSERT INTO "study_elicitations" VALUES(1,'mBY2A6rfLTSp5n2K');
INSERT INTO "study_elicitations" VALUES(2,'C-jw9iD6K2TgXvdH');
INSERT INTO "study_elicitations" VALUES(3,'-vEduI5c-KZVhPO2');
CREATE TABLE study_judgements (
  matchup TEXT PRIMARY KEY REFERENCES study_matchups (id),
  picked INTEGER NOT NULL CHECK (picked IN (0, 1)),
  response_ms BIGINT,
  at TEXT NOT NULL
);
INSERT INTO "study_judgements" VALUES('uYOv-1wrgYsZjEkB',0,NULL,'2026-11-21T14:11:40.547+00:00');
INSERT INTO "study_judgements" VALUES('Mgh8RbJNwEEL7vJJ',0,NULL,'2026-11-21T14:11:40.569+00:00');
INSERT INTO "study_judgements" VALUES('I35qrvF8-jIoVafX',0,NULL,'2026-11-21T14:11:40.598+00:00');
INSERT INTO "study_judgements" VALUES('cpdqxlqLdQ0DjjHx',0,NULL,'2026-11-21T14:11:40.627+00:00');
INSERT INTO "study_judgements" VALUES('lBNLmD30Cvtg-Bjc',1,NULL,'2026-11-21T14:11:40.798+00:00');
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
INSERT INTO "study_matchups" VALUES('uYOv-1wrgYsZjEkB',1,0,'["attention"]',5,1,'2026-11-21T14:11:40.524+00:00');
INSERT INTO "study_matchups" VALUES('Mgh8RbJNwEEL7vJJ',1,1,'["random"]',0,0,'2026-11-21T14:11:40.524+00:00');
INSERT INTO "study_matchups" VALUES('I35qrvF8-jIoVafX',1,2,'["early"]',2,1,'2026-11-21T14:11:40.524+00:00');
INSERT INTO "study_matchups" VALUES('cpdqxlqLdQ0DjjHx',1,3,'["late"]',4,0,'2026-11-21T14:11:40.524+00:00');
INSERT INTO "study_matchups" VALUES('lBNLmD30Cvtg-Bjc',2,0,'["attention"]',2,0,'2026-11-21T14:11:40.775+00:00');
INSERT INTO "study_matchups" VALUES('2LZ_MXl10J3cCRRK',2,1,'["late"]',2,0,'2026-11-21T14:11:40.775+00:00');
INSERT INTO "study_matchups" VALUES('_5VB5gr95yf4VXGu',2,2,'["random"]',4,1,'2026-11-21T14:11:40.775+00:00');
INSERT INTO "study_matchups" VALUES('oRs6mm4aJBkTmn5s',2,3,'["early"]',5,0,'2026-11-21T14:11:40.775+00:00');
CREATE TABLE study_participants (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  study BIGINT NOT NULL REFERENCES studies (number),
  ticket TEXT UNIQUE,
  simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
  added_at TEXT NOT NULL
);
INSERT INTO "study_participants" VALUES(1,'BGEGG5wMZoImtGOX',1,NULL,0,'2026-11-21T14:11:40.032+00:00');
INSERT INTO "study_participants" VALUES(2,'Y4fGLg6lBFA4Z05J',1,NULL,0,'2026-11-21T14:11:40.645+00:00');
INSERT INTO "study_participants" VALUES(3,'0UdppEl9-t_8P2Sy',1,NULL,1,'2026-11-21T14:11:40.818+00:00');
INSERT INTO "study_participants" VALUES(4,'QzWzD5BhHUeRvuEn',1,NULL,0,'2026-11-21T14:11:40.925+00:00');
CREATE TABLE study_starts (
  participant BIGINT PRIMARY KEY REFERENCES study_participants (number),
  at TEXT NOT NULL
);
INSERT INTO "study_starts" VALUES(1,'2026-11-21T14:11:40.430+00:00');
INSERT INTO "study_starts" VALUES(2,'2026-11-21T14:11:40.668+00:00');
INSERT INTO "study_starts" VALUES(3,'2026-11-21T14:11:40.877+00:00');
CREATE INDEX elicitations_of_person ON elicitations (person, number);
CREATE INDEX elicitations_of_pool ON elicitations (pool, number);
CREATE INDEX participants_of_study ON study_participants (study, number);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('pools',2);
INSERT INTO "sqlite_sequence" VALUES('studies',1);
INSERT INTO "sqlite_sequence" VALUES('study_participants',4);
INSERT INTO "sqlite_sequence" VALUES('people',3);
INSERT INTO "sqlite_sequence" VALUES('elicitations',3);
COMMIT;
