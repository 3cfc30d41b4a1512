BEGIN TRANSACTION;
CREATE TABLE added_responses (
  elicitation BIGINT NOT NULL,
  event INTEGER NOT NULL,
  position INTEGER NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (elicitation, event, position),
  FOREIGN KEY (elicitation, event) REFERENCES events (elicitation, number)
);
INSERT INTO "added_responses" VALUES(1,5,4,'{"id": "r5", "text": "Curry.", "model": "n"}');
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
INSERT INTO "elicitations" VALUES(1,'0DePX--iiCfe8MuZ',1,1,'useralign','{"name": "useralign", "epsilon": 0.1, "delta": 0.05, "norm_bound": 3.0, "max_steps": null, "estimate": "mle"}',7,'{"pool": "7af07b8f09aa4323", "features": "d042a4a43c969d04", "strategy": {"name": "useralign", "epsilon": 0.1, "delta": 0.05, "norm_bound": 3.0, "max_steps": null, "estimate": "mle"}, "seed": 7}','2026-11-21T12:57:41.318+00:00');
INSERT INTO "elicitations" VALUES(2,'Xu05v5EE0Jv9rUDO',2,1,'eubo','{"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 3, "max_steps": 9, "tolerance": 0.02, "recheck": true}',8,'{"pool": "7af07b8f09aa4323", "features": "d042a4a43c969d04", "strategy": {"name": "eubo", "prior": {"name": "features", "kernel": "linear", "residual": 0.4, "style": 0.5, "slopes": [0.75, 1.5, 3.0, 6.0, 12.0]}, "options": 3, "max_steps": 9, "tolerance": 0.02, "recheck": true}, "seed": 8}','2026-11-21T12:57:41.386+00:00');
INSERT INTO "elicitations" VALUES(3,'qvPGYdh_onHsT1Tw',1,2,'winner-stays','{"name": "winner-stays", "max_steps": null}',9223372036854775807,'{"pool": "acb48941b1670fb0", "features": "none", "strategy": {"name": "winner-stays", "max_steps": null}, "seed": 9223372036854775807}','2026-11-21T12:57:41.409+00:00');
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
INSERT INTO "events" VALUES(1,1,'pick','40Dj3e2A5PIJM2uj','["r3"]',900,NULL,NULL,'2026-11-21T12:57:41.321+00:00');
INSERT INTO "events" VALUES(1,2,'tie','s5I4i8_txMzFYSub',NULL,NULL,NULL,NULL,'2026-11-21T12:57:41.330+00:00');
INSERT INTO "events" VALUES(1,3,'undo',NULL,NULL,NULL,NULL,NULL,'2026-11-21T12:57:41.332+00:00');
INSERT INTO "events" VALUES(1,4,'pick','PSvtvUQrhjk2u5Kc','["r4"]',1500,NULL,NULL,'2026-11-21T12:57:41.336+00:00');
INSERT INTO "events" VALUES(1,5,'extend',NULL,NULL,NULL,'QKZQs5pbI1zvURyk','83d73d0a84bc9a4f3333cd694ad75ae905ca3a457d0559f48e97de16144101f7','2026-11-21T12:57:41.342+00:00');
INSERT INTO "events" VALUES(2,1,'order','UYInbOgxs5NicKr7','["r4", "r3", "r2"]',NULL,NULL,NULL,'2026-11-21T12:57:41.392+00:00');
INSERT INTO "events" VALUES(2,2,'skip','P6XAk6NQJQUEzhPK',NULL,NULL,NULL,NULL,'2026-11-21T12:57:41.405+00:00');
CREATE TABLE feature_arrays (
  fingerprint TEXT PRIMARY KEY,
  dtype TEXT NOT NULL,
  n INTEGER NOT NULL,
  d INTEGER NOT NULL,
  content BLOB NOT NULL
);
INSERT INTO "feature_arrays" VALUES('74d3ac6bc3c350a66a35854acd2c3453e54f74444e95c76f7166d64f52b7afdc','float32',4,3,X'1566263D8F522EBDCC4C533E66AA0A3DB9F630BE7A08EF3D0A43D73E39549C3E146E68BEE6D2D0BEF6AF4DBE1F95583C');
INSERT INTO "feature_arrays" VALUES('83d73d0a84bc9a4f3333cd694ad75ae905ca3a457d0559f48e97de16144101f7','float32',1,3,X'0000803E0000C0BF0000403F');
CREATE TABLE people (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT UNIQUE,
  added_at TEXT NOT NULL
);
INSERT INTO "people" VALUES(1,'gj11yO5iJ66TI9da','Ann','2026-11-21T12:57:41.299+00:00');
INSERT INTO "people" VALUES(2,'mt9AoQA114lByX_Z',NULL,'2026-11-21T12:57:41.304+00:00');
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
INSERT INTO "pools" VALUES(1,'cb6HKKM9CQ6kH9yn','"dinner"','"What shall I cook tonight?"','{"id": "baseline", "text": "Bread."}','"made-up"','diameter',3.22418198885408902043e-01,'74d3ac6bc3c350a66a35854acd2c3453e54f74444e95c76f7166d64f52b7afdc','2026-11-21T12:57:41.309+00:00');
INSERT INTO "pools" VALUES(2,'ww5TLx52mNPfUcl1',NULL,'"Which?"',NULL,NULL,'diameter',1.0,NULL,'2026-11-21T12:57:41.312+00:00');
CREATE TABLE queries (
  id TEXT PRIMARY KEY,
  elicitation BIGINT NOT NULL REFERENCES elicitations (number),
  after_event INTEGER NOT NULL,
  number INTEGER NOT NULL,
  shown TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  UNIQUE (elicitation, after_event)
);
INSERT INTO "queries" VALUES('40Dj3e2A5PIJM2uj',1,0,0,'["r3", "r1"]','2026-11-21T12:57:41.320+00:00');
INSERT INTO "queries" VALUES('s5I4i8_txMzFYSub',1,1,1,'["r3", "r4"]','2026-11-21T12:57:41.329+00:00');
INSERT INTO "queries" VALUES('PSvtvUQrhjk2u5Kc',1,3,1,'["r3", "r4"]','2026-11-21T12:57:41.336+00:00');
INSERT INTO "queries" VALUES('QKZQs5pbI1zvURyk',1,4,2,'["r2", "r4"]','2026-11-21T12:57:41.341+00:00');
INSERT INTO "queries" VALUES('UYInbOgxs5NicKr7',2,0,0,'["r3", "r2", "r4"]','2026-11-21T12:57:41.392+00:00');
INSERT INTO "queries" VALUES('P6XAk6NQJQUEzhPK',2,1,1,'["r4", "r1"]','2026-11-21T12:57:41.404+00:00');
CREATE TABLE responses (
  pool BIGINT NOT NULL REFERENCES pools (number),
  position INTEGER NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (pool, position)
);
INSERT INTO "responses" VALUES(1,0,'{"id": "r1", "text": "Soup.", "model": "m"}');
INSERT INTO "responses" VALUES(1,1,'{"id": "r2", "text": "Pasta."}');
INSERT INTO "responses" VALUES(1,2,'{"id": "r3", "text": "Salad."}');
INSERT INTO "responses" VALUES(1,3,'{"id": "r4", "text": "Gr\u00fcne So\u00dfe \ud83e\udd63."}');
INSERT INTO "responses" VALUES(2,0,'{"id": "r1", "text": "a"}');
INSERT INTO "responses" VALUES(2,1,'{"id": "r2", "text": "b"}');
INSERT INTO "responses" VALUES(2,2,'{"id": "r3", "text": "c"}');
CREATE TABLE schema_version (version INTEGER PRIMARY KEY, at TEXT NOT NULL);
INSERT INTO "schema_version" VALUES(1,'2026-11-21T12:57:41.287+00:00');
CREATE INDEX elicitations_of_person ON elicitations (person, number);
CREATE INDEX elicitations_of_pool ON elicitations (pool, number);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('people',2);
INSERT INTO "sqlite_sequence" VALUES('pools',2);
INSERT INTO "sqlite_sequence" VALUES('elicitations',3);
COMMIT;
