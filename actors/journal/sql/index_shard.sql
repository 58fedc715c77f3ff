-- Index events of shard ?1 with the sequences ?2, ?2 + 1, ... at the positions ?3 (a JSON array).
-- Done again after a crash it changes nothing; another event with the same sequence violates NOT NULL.
INSERT INTO by_shard (shard, seq, position)
SELECT ?1, ?2 + key, value FROM json_each(?3) WHERE true
ON CONFLICT (shard, seq) DO UPDATE SET position = NULL WHERE position <> excluded.position
