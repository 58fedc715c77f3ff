-- Events after position ?1 in the order of their commits, at most ?2. As JSON [[shard, aggregate, id, seq,
-- version, type, at, by, trace, lengths of command_id, fingerprint and data], ...], all their bytes in that
-- order, and the last of their positions.
SELECT
    json_group_array(json_array(
        shard, aggregate, id, seq, version, type, at, by, trace,
        length(command_id), length(fingerprint), length(data)
    )),
    CAST(group_concat(command_id || ifnull(fingerprint, '') || data, '') AS BLOB),
    ifnull(max(position), ?1)
FROM (SELECT * FROM events WHERE position > ?1 ORDER BY position LIMIT ?2)
