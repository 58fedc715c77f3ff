-- Whose every shard is that was ever claimed, as JSON [[shard, epoch, owner], ...].
SELECT json_group_array(json_array(shard, epoch, owner)) FROM shards
