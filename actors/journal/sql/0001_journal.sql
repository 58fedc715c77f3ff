-- The journal of one context, schema version 1.

-- One row: what the file is and how far its indexes reach.
CREATE TABLE journal (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    shards     INTEGER NOT NULL,            -- fixed for the file's life
    generation INTEGER NOT NULL DEFAULT 0,  -- raised by every claim: an append checks all its epochs by this one number
    indexed    INTEGER NOT NULL DEFAULT 0   -- every event up to this position is in by_shard and by_entity
);

-- Who may append to a shard: only its newest epoch.
CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL
);

-- Events in the order of their commits, so that a commit writes a few neighbouring pages however many
-- entities it touches. Column names after position are those of port.Row.
CREATE TABLE events (
    position    INTEGER PRIMARY KEY,
    shard       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    aggregate   TEXT NOT NULL,
    id          TEXT NOT NULL,
    version     INTEGER NOT NULL,
    type        TEXT NOT NULL,
    command_id  BLOB NOT NULL,
    fingerprint BLOB,
    at          INTEGER NOT NULL,
    by          TEXT NOT NULL,
    trace       TEXT,
    data        BLOB NOT NULL
);

-- The two ways to an event. Both are filled behind the commits, in key order, up to journal.indexed and
-- somewhat beyond; they are derived from events and hold the uniqueness rules.
CREATE TABLE by_shard (
    shard    INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (shard, seq)
) WITHOUT ROWID;

CREATE TABLE by_entity (
    aggregate TEXT NOT NULL,
    id        TEXT NOT NULL,
    version   INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (aggregate, id, version)
) WITHOUT ROWID;

-- The newest snapshot of each entity. A rowid table: large states stay out of the key's tree.
CREATE TABLE snapshots (
    shard       INTEGER NOT NULL,
    aggregate   TEXT NOT NULL,
    id          TEXT NOT NULL,
    version     INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    data        BLOB NOT NULL,
    UNIQUE (aggregate, id)
);
