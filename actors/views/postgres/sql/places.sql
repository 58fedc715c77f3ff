-- How far every generation is.
SELECT generation, shard, seq, complete FROM positions
