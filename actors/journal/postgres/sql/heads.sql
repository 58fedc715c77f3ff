-- The last sequences of shards $1, 0 for an empty one: one seek in the index each.
SELECT wanted.shard, coalesce((SELECT max(e.seq) FROM events AS e WHERE e.shard = wanted.shard), 0) AS last_seq
FROM unnest($1::integer[]) AS wanted (shard)
