-- The snapshots of entities ?1, JSON [[aggregate, id], ...], in one row: as JSON
-- [[n, shard, version, seq, fingerprint's length, data's length], ...] and all bytes in that order.
SELECT
    json_group_array(json_array(n, shard, version, seq, length(fingerprint), length(data))),
    CAST(group_concat(fingerprint || data, '') AS BLOB)
FROM (
    SELECT wanted.key AS n, shard, version, seq, fingerprint, data
    FROM json_each(?1) AS wanted
    CROSS JOIN snapshots ON snapshots.aggregate = wanted.value ->> 0 AND snapshots.id = wanted.value ->> 1
)
