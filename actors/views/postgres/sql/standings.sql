-- The live generations of views $1, and how far they are.
SELECT g.view, g.number, p.shards, p.seqs
FROM generations AS g
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(shard), '{}') AS shards, coalesce(array_agg(seq), '{}') AS seqs
    FROM positions
    WHERE generation = g.number AND seq > 0
) AS p
WHERE g.live AND g.view = ANY ($1::text[])
