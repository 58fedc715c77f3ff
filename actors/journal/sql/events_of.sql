-- Indexed events of many entities in one row, so that the interpreter lock is let go once, not once per
-- event. ?1: JSON [[aggregate, id, first version, last version], ...].
-- As JSON [[n, shard, seq, version, type, at, by, trace, lengths of command_id, fingerprint and data], ...]
-- by entity and version, and all their bytes in that order. No ORDER BY: the cross joins visit them in it,
-- and a sort costs as much as the rest.
SELECT
    json_group_array(json_array(
        n, e.shard, e.seq, e.version, e.type, e.at, e.by, e.trace,
        length(e.command_id), length(e.fingerprint), length(e.data)
    )),
    CAST(group_concat(e.command_id || ifnull(e.fingerprint, '') || e.data, '') AS BLOB)
FROM (
    SELECT key AS n, value ->> 0 AS aggregate, value ->> 1 AS id, value ->> 2 AS first, value ->> 3 AS last
    FROM json_each(?1)
) AS wanted
CROSS JOIN by_entity AS b
    ON b.aggregate = wanted.aggregate AND b.id = wanted.id AND b.version BETWEEN wanted.first AND wanted.last
CROSS JOIN events AS e ON e.position = b.position
