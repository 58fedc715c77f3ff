-- The views of one context, schema version 1. Beside these tables, each generation has one for its documents
-- and, if it is searched, one for its words; see tables.py.

-- What operators have said of a view.
CREATE TABLE views (
    view   TEXT PRIMARY KEY,
    paused INTEGER NOT NULL
) WITHOUT ROWID;

-- AUTOINCREMENT: a number is never used again, so that work for a dropped generation is known by it.
CREATE TABLE generations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    view   TEXT NOT NULL,
    shape  TEXT NOT NULL,                    -- port.Shape as JSON
    state  TEXT NOT NULL CHECK (state IN ('building', 'live', 'dropping'))
);
CREATE UNIQUE INDEX answering ON generations (view) WHERE state = 'live';
CREATE UNIQUE INDEX being_built ON generations (view) WHERE state = 'building';

-- How far each shard is folded, in the same transaction as the documents.
CREATE TABLE positions (
    generation INTEGER NOT NULL,
    shard      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    complete   INTEGER NOT NULL,             -- 1 once the shard's end was reached
    PRIMARY KEY (generation, shard)
) WITHOUT ROWID;

-- Events that an operator has passed over: a trace for whoever wonders later.
CREATE TABLE skipped (
    generation INTEGER NOT NULL,
    shard      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         TEXT NOT NULL,
    PRIMARY KEY (generation, shard, seq)
) WITHOUT ROWID;
