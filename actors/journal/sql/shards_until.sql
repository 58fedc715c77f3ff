-- The key of the last of the ?4 gathered events after (shard ?1, seq ?2, position ?3): where the next run begins.
SELECT shard, seq, position
FROM temp.gathered_shards
WHERE (shard, seq, position) > (?1, ?2, ?3)
ORDER BY shard, seq, position
LIMIT 1 OFFSET ?4 - 1
