-- Whether generation $1 is complete in all of $3 shards, and nowhere behind any of generations $2.
SELECT
    (SELECT count(*) FROM positions WHERE generation = $1 AND complete) >= $3::integer
    AND NOT EXISTS (
        SELECT
        FROM positions AS old
        LEFT JOIN positions AS new ON new.generation = $1 AND new.shard = old.shard
        WHERE old.generation = ANY ($2::bigint[]) AND old.seq > coalesce(new.seq, 0)
    )
