-- The views of one context, schema version 1. They have a schema of their own, which search_path names.

-- One build of a view. Its documents are in the table g<number>; see tables.py.
CREATE TABLE generations (
    number bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view   text    COLLATE "C" NOT NULL,
    shape  text    NOT NULL,  -- port.Shape, as JSON
    live   boolean NOT NULL
);

-- One answers, and one is being built: whatever goes wrong between workers, it does not leave two.
CREATE UNIQUE INDEX one_live_and_one_built ON generations (view, live);

-- Views that an operator has halted.
CREATE TABLE paused (
    view text COLLATE "C" PRIMARY KEY
);

-- How far a generation has folded each shard. Its row is what workers meet at that believe a shard is theirs.
-- Rows are updated in place as a rule: there is room beside them, and no index holds what changes.
CREATE TABLE positions (
    generation bigint  NOT NULL REFERENCES generations ON DELETE CASCADE,
    shard      integer NOT NULL,
    seq        bigint  NOT NULL,
    complete   boolean NOT NULL,
    PRIMARY KEY (generation, shard)
) WITH (fillfactor = 50);

-- Ends a statement that found what it relies on changed, and with it all that it has written.
CREATE FUNCTION refuse() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'another worker has folded meanwhile' USING ERRCODE = 'serialization_failure';
END
$$;
