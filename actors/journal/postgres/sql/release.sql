-- Nobody owns shards $1 any more, where they still have the epochs $2. The epochs stay. Waits for appends in
-- flight, always in the order of the shards.
WITH locked AS MATERIALIZED (
    SELECT s.shard
    FROM shards AS s
    JOIN unnest($1::integer[], $2::bigint[]) AS own (shard, epoch) ON own.shard = s.shard
    WHERE s.epoch = own.epoch
    ORDER BY s.shard
    FOR NO KEY UPDATE OF s
)
UPDATE shards AS s
SET owner = ''
FROM locked
WHERE s.shard = locked.shard
