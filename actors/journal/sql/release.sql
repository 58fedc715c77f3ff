-- Nobody owns the shards of ?1 (JSON [[shard, epoch], ...]) any more, but for those that have another epoch.
UPDATE shards SET owner = ''
FROM json_each(?1) AS given
WHERE shards.shard = given.value ->> 0 AND shards.epoch = given.value ->> 1
