-- Raise the epochs of shards ?1 (JSON [[shard, the epoch it must have or null], ...]) for owner ?2, but for
-- those that have another epoch by now; tells the new ones.
INSERT INTO shards (shard, epoch, owner)
SELECT value ->> 0, 1, ?2 FROM json_each(?1)
WHERE value ->> 1 IS NULL
   OR value ->> 1 = ifnull((SELECT epoch FROM shards WHERE shard = value ->> 0), 0)
ON CONFLICT (shard) DO UPDATE SET epoch = epoch + 1, owner = excluded.owner
RETURNING shard, epoch
