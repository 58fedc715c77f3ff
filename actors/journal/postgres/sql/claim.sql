-- Raise the epochs of shards $1 for owner $2. Waits for appends in flight, in the order of the shards.
WITH locked AS MATERIALIZED (
    SELECT shard FROM shards WHERE shard = ANY ($1::integer[]) ORDER BY shard FOR NO KEY UPDATE
)
UPDATE shards AS s
SET epoch = s.epoch + 1, owner = $2
FROM locked
WHERE s.shard = locked.shard
RETURNING s.shard, s.epoch
