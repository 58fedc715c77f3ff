-- Index runs of events ?1, JSON [[shard, first sequence, [position, ...]], ...], in the order of sequences: a
-- reader sees no gap.
-- Done again after a crash it changes nothing; another event with the same sequence violates NOT NULL.
-- Materialized, else a run's JSON is parsed again for each of its events.
WITH run AS MATERIALIZED (
    SELECT value ->> 0 AS shard, value ->> 1 AS first, value ->> 2 AS positions FROM json_each(?1)
)
INSERT INTO by_shard (shard, seq, position)
SELECT shard, first + event.key, event.value
FROM run CROSS JOIN json_each(run.positions) AS event
WHERE true
ON CONFLICT (shard, seq) DO UPDATE SET position = NULL WHERE position <> excluded.position
