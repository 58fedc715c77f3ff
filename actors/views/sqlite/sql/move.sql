-- Positions ?1 go forward: JSON [[generation, shard, seq, complete], ...]. Complete stays complete.
INSERT INTO positions (generation, shard, seq, complete)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE TRUE
ON CONFLICT (generation, shard) DO UPDATE SET
    seq = excluded.seq,
    complete = max(complete, excluded.complete)
