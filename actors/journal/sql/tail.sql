-- The events after position ?1 that the indexes may not know yet, at most ?2 of them, as one JSON array
-- [[position, shard, seq, aggregate, id, version], ...] by position.
SELECT json_group_array(json_array(position, shard, seq, aggregate, id, version) ORDER BY position)
FROM (SELECT * FROM events WHERE position > ?1 ORDER BY position LIMIT ?2)
