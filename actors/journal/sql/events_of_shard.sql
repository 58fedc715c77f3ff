-- Events of shard ?1 with sequences from ?2 to ?3 that are indexed or at the positions ?4 (a JSON array).
-- As JSON [[aggregate, id, seq, version, type, at, by, trace, lengths of command_id, fingerprint and data],
-- ...] by sequence, and all their bytes in that order.
SELECT
    json_group_array(json_array(
        aggregate, id, seq, version, type, at, by, trace, length(command_id), length(fingerprint), length(data)
    )),
    CAST(group_concat(command_id || ifnull(fingerprint, '') || data, '') AS BLOB)
FROM (
    SELECT e.*
    FROM (
        SELECT position FROM by_shard WHERE shard = ?1 AND seq BETWEEN ?2 AND ?3
        UNION
        SELECT value FROM json_each(?4)
    ) CROSS JOIN events AS e USING (position)
    ORDER BY e.seq
)
