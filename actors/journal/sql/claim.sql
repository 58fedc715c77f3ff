-- Raise the epochs of shards ?1 (a JSON array) for owner ?2; tells them.
INSERT INTO shards (shard, epoch, owner)
SELECT value, 1, ?2 FROM json_each(?1) WHERE true
ON CONFLICT (shard) DO UPDATE SET epoch = epoch + 1, owner = excluded.owner
RETURNING shard, epoch
