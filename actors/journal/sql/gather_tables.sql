-- Where a window of events is put into the orders of by_entity and by_shard before it goes in. In memory,
-- per connection.
CREATE TEMP TABLE gathered_entities (
    aggregate TEXT NOT NULL,
    id        TEXT NOT NULL,
    version   INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (aggregate, id, version, position)
) WITHOUT ROWID;

CREATE TEMP TABLE gathered_shards (
    shard    INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (shard, seq, position)
) WITHOUT ROWID;
