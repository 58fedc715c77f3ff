-- Lock all positions of generations $1: nothing is folded into them before this transaction ends.
SELECT shard FROM positions WHERE generation = ANY ($1::bigint[]) ORDER BY generation, shard FOR NO KEY UPDATE
