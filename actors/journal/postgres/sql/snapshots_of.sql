-- The snapshots of entities ($1 aggregates, $2 ids) that the journal confirms: the event that made the
-- snapshot's version is there, at the same place. n counts the entities from 0.
SELECT wanted.n - 1 AS n, s.shard, s.aggregate, s.id, s.version, s.seq, s.fingerprint, s.data
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (aggregate, id, n)
JOIN snapshots AS s ON s.aggregate = wanted.aggregate AND s.id = wanted.id
JOIN events AS e
    ON e.aggregate = s.aggregate AND e.id = s.id AND e.version = s.version
    AND e.shard = s.shard AND e.seq = s.seq
