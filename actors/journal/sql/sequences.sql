-- The last indexed sequences of the shards ?1 (a JSON array) that have one, as JSON [[shard, seq], ...]: one
-- seek per shard, not a read of the index.
SELECT json_group_array(json_array(shard, seq)) FROM (
    SELECT value AS shard, (SELECT max(seq) FROM by_shard WHERE by_shard.shard = wanted.value) AS seq
    FROM json_each(?1) AS wanted
) WHERE seq IS NOT NULL
