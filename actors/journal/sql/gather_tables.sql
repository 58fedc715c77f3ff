-- Where a window of events is put into the order of by_entity before it goes in. In memory, per connection.
CREATE TEMP TABLE gathered_entities (
    aggregate TEXT NOT NULL,
    id        TEXT NOT NULL,
    version   INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (aggregate, id, version, position)
) WITHOUT ROWID;
