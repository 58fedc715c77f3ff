-- As events_of.sql, and also the events at positions ?2: JSON [[n, position], ...]; some of them may be
-- indexed by now. An entity's positions rise with its versions.
WITH wanted (n, aggregate, id, first, last) AS MATERIALIZED (
    SELECT key, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)
),
found (n, position) AS MATERIALIZED (
    SELECT wanted.n, b.position
    FROM wanted CROSS JOIN by_entity AS b
        ON b.aggregate = wanted.aggregate AND b.id = wanted.id AND b.version BETWEEN first AND last
    UNION
    SELECT value ->> 0, value ->> 1 FROM json_each(?2)
    ORDER BY 1, 2
)
SELECT
    json_group_array(json_array(
        n, shard, seq, version, type, at, by, trace, length(command_id), length(fingerprint), length(data)
    )),
    CAST(group_concat(command_id || ifnull(fingerprint, '') || data, '') AS BLOB)
FROM found CROSS JOIN events USING (position)
