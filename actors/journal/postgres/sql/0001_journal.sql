-- The journal of one context, schema version 1. It has a schema of its own, which search_path names.

-- Who may append to a shard: only its newest epoch. One row per shard, made with the journal: their number
-- is the journal's number of shards, fixed for its life. The row's lock is what appends and claims meet at.
CREATE TABLE shards (
    shard integer PRIMARY KEY,
    epoch bigint  NOT NULL,  -- 0: nobody claimed it yet
    owner text    NOT NULL
);

-- Column names are those of port.Row. Keys compare byte by byte (COLLATE "C"): an operating system's update
-- that sorts text anew must not break an index that holds the uniqueness rules.
CREATE TABLE events (
    shard       integer NOT NULL,
    seq         bigint  NOT NULL,
    aggregate   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    version     bigint  NOT NULL,
    type        text    NOT NULL,
    command_id  bytea   NOT NULL,
    fingerprint bytea,
    at          bigint  NOT NULL,
    by          text    NOT NULL,
    trace       text,
    data        bytea   NOT NULL,
    PRIMARY KEY (shard, seq),
    UNIQUE (aggregate, id, version)
);

-- The newest snapshot of each entity.
CREATE TABLE snapshots (
    shard       integer NOT NULL,
    aggregate   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    version     bigint  NOT NULL,
    seq         bigint  NOT NULL,
    fingerprint bytea   NOT NULL,
    data        bytea   NOT NULL,
    PRIMARY KEY (aggregate, id)
);

-- What an append sends: arrays of these. Twelve arrays, one per column, cost the client two and a half times as
-- much and the server twice. Attribute names are those of port.Row and port.Snapshot, in their order.
CREATE TYPE event AS (
    shard integer, seq bigint, aggregate text, id text, version bigint, type text, command_id bytea,
    fingerprint bytea, at bigint, by text, trace text, data bytea
);

CREATE TYPE snapshot AS (
    shard integer, aggregate text, id text, version bigint, seq bigint, fingerprint bytea, data bytea
);
