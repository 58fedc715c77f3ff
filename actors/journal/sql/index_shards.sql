-- Index the ?4 gathered events after (shard ?1, seq ?2, position ?3), in the order of sequences: a reader sees no gap.
-- Done again after a crash it changes nothing; another event with the same sequence violates NOT NULL.
INSERT INTO by_shard (shard, seq, position)
SELECT shard, seq, position
FROM temp.gathered_shards
WHERE (shard, seq, position) > (?1, ?2, ?3)
ORDER BY shard, seq, position
LIMIT ?4
ON CONFLICT (shard, seq) DO UPDATE SET position = NULL WHERE position <> excluded.position
