-- The events of shards ?2 (a JSON array) after position ?1, which the indexes may not know yet, at most ?3
-- of them, as one JSON array [[position, shard, seq, aggregate, id, version], ...] by position.
SELECT json_group_array(json_array(position, shard, seq, aggregate, id, version) ORDER BY position)
FROM (
    SELECT * FROM events
    WHERE position > ?1 AND shard IN (SELECT value FROM json_each(?2))
    ORDER BY position LIMIT ?3
)
