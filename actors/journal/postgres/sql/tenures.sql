-- Whose every shard is, by number.
SELECT shard, epoch, owner FROM shards ORDER BY shard
