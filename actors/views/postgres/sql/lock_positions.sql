-- Where generations $1 are in shards $2, and nobody moves them before this transaction ends.
SELECT p.generation, p.shard, p.seq
FROM positions AS p
JOIN unnest($1::bigint[], $2::integer[]) AS wanted (generation, shard)
    ON wanted.generation = p.generation AND wanted.shard = p.shard
ORDER BY p.generation, p.shard
FOR NO KEY UPDATE OF p
