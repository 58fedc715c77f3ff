-- See that there are rows to lock for generations $1 and shards $2. In order, so that two of these cannot wait
-- for each other.
INSERT INTO positions (generation, shard, seq, complete)
SELECT wanted.generation, wanted.shard, 0, false
FROM unnest($1::bigint[], $2::integer[]) AS wanted (generation, shard)
JOIN generations AS g ON g.number = wanted.generation
ORDER BY wanted.generation, wanted.shard
ON CONFLICT DO NOTHING
