-- Events of many entities in one row, so that the interpreter lock is let go once, not once per event.
-- ?1: JSON [[aggregate, id, first version, last version, [positions not indexed yet]], ...].
-- As JSON [[n, shard, seq, version, type, at, by, trace, lengths of command_id, fingerprint and data], ...]
-- by entity and version, and all their bytes in that order.
WITH wanted (n, aggregate, id, first, last, recent) AS MATERIALIZED (
    SELECT key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value -> 4 FROM json_each(?1)
),
found (n, position) AS (
    SELECT n, position
    FROM wanted CROSS JOIN by_entity AS b
        ON b.aggregate = wanted.aggregate AND b.id = wanted.id AND b.version BETWEEN first AND last
    UNION
    SELECT n, r.value FROM wanted CROSS JOIN json_each(wanted.recent) AS r
)
SELECT
    json_group_array(json_array(
        n, shard, seq, version, type, at, by, trace, length(command_id), length(fingerprint), length(data)
    )),
    CAST(group_concat(command_id || ifnull(fingerprint, '') || data, '') AS BLOB)
FROM (
    SELECT found.n, e.*
    FROM found CROSS JOIN events AS e USING (position)
    ORDER BY found.n, e.version
)
