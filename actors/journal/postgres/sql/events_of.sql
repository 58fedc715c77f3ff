-- Events of many entities ($1 aggregates, $2 ids) with versions from $3 to $4, at most $5 of each.
-- n counts the entities from 0; each one's events come by version.
SELECT wanted.n - 1 AS n, e.*
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
    WITH ORDINALITY AS wanted (aggregate, id, first, last, n)
CROSS JOIN LATERAL (
    SELECT shard, seq, aggregate, id, version, type, command_id, fingerprint, at, by, trace, data
    FROM events
    WHERE aggregate = wanted.aggregate AND id = wanted.id AND version BETWEEN wanted.first AND wanted.last
    ORDER BY version
    LIMIT $5
) AS e
ORDER BY wanted.n, e.version
