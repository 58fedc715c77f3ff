-- One row for a writer that (re)opens the file: generation, indexed, and as JSON the epochs
-- [[shard, epoch], ...] and the last indexed sequences [[shard, seq], ...].
-- The sequences are found by one seek per shard, not by reading the index.
WITH RECURSIVE numbers (shard) AS (
    SELECT 0 UNION ALL SELECT shard + 1 FROM numbers WHERE shard + 1 < (SELECT shards FROM journal)
)
SELECT
    generation,
    indexed,
    (SELECT json_group_array(json_array(shard, epoch)) FROM shards),
    (SELECT json_group_array(json_array(shard, seq)) FROM (
        SELECT shard, (SELECT max(seq) FROM by_shard WHERE by_shard.shard = numbers.shard) AS seq FROM numbers
    ) WHERE seq IS NOT NULL)
FROM journal
