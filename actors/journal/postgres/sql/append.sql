-- One group commit: the rows and snapshots of every shard whose epoch still holds, all or nothing.
-- $1 shards, $2 their epochs, $3 their first sequence here if it is to be checked; $4 events; $5 snapshots, at
-- most one per entity.
-- Answers the shards that were held, and those whose first sequence is not the next one: then nothing is
-- inserted.
--
-- The lock is what a claim takes too, so a claim waits for this commit; and if this waits for a claim, the
-- condition is checked again on the row that the claim has left. Always in the order of the shards, so that
-- two of these cannot wait for each other.
WITH held AS MATERIALIZED (
    SELECT s.shard, own.first
    FROM shards AS s
    JOIN unnest($1::integer[], $2::bigint[], $3::bigint[]) AS own (shard, epoch, first) ON own.shard = s.shard
    WHERE s.epoch = own.epoch
    ORDER BY s.shard
    FOR NO KEY UPDATE OF s
),
-- No sequence is ever skipped. Reading behind the lock is safe: whoever holds the epoch is the only writer.
out_of_order AS MATERIALIZED (
    SELECT shard
    FROM held
    WHERE first IS NOT NULL
        AND first <> 1 + coalesce((SELECT max(e.seq) FROM events AS e WHERE e.shard = held.shard), 0)
),
inserted AS (
    INSERT INTO events
        (shard, seq, aggregate, id, version, type, command_id, fingerprint, at, by, trace, data)
    SELECT r.*
    FROM unnest($4::event[]) AS r
    WHERE r.shard = ANY (ARRAY(SELECT shard FROM held)) AND NOT EXISTS (SELECT FROM out_of_order)
),
kept AS (
    INSERT INTO snapshots (shard, aggregate, id, version, seq, fingerprint, data)
    SELECT r.*
    FROM unnest($5::snapshot[]) AS r
    WHERE r.shard = ANY (ARRAY(SELECT shard FROM held)) AND NOT EXISTS (SELECT FROM out_of_order)
    ON CONFLICT (aggregate, id) DO UPDATE SET
        shard = excluded.shard, version = excluded.version, seq = excluded.seq,
        fingerprint = excluded.fingerprint, data = excluded.data
)
SELECT ARRAY(SELECT shard FROM held) AS held, ARRAY(SELECT shard FROM out_of_order) AS out_of_order
