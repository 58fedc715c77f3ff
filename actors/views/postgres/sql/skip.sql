-- Pass over event $3 of shard $2 in generation $1, if it is the next.
UPDATE positions SET seq = $3 WHERE generation = $1 AND shard = $2 AND seq = $3 - 1 RETURNING seq
