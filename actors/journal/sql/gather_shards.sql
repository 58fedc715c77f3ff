-- The events after position ?1 up to ?2 for by_shard, as JSON [[shard, seq, position], ...] by position.
SELECT json_group_array(json_array(shard, seq, position) ORDER BY position)
FROM events WHERE position > ?1 AND position <= ?2
