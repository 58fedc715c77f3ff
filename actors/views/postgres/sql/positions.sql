-- Where generations $1 are in shards $2.
SELECT p.generation, p.shard, p.seq
FROM positions AS p
JOIN unnest($1::bigint[], $2::integer[]) AS wanted (generation, shard) USING (generation, shard)
