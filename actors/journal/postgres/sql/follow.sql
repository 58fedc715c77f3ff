-- Events of shards $1 after sequences $2, at most $3: one seek in the index for each shard.
SELECT found.*
FROM unnest($1::integer[], $2::bigint[]) AS wanted (shard, after)
CROSS JOIN LATERAL (
    SELECT shard, seq, aggregate, id, version, type, command_id, fingerprint, at, by, trace, data
    FROM events AS e
    WHERE e.shard = wanted.shard AND e.seq > wanted.after
    ORDER BY e.seq
    LIMIT $3
) AS found
LIMIT $3
