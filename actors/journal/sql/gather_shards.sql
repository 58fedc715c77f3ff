-- Sort the events after position ?1 up to ?2 in, for by_shard.
INSERT OR IGNORE INTO temp.gathered_shards (shard, seq, position)
SELECT shard, seq, position FROM events WHERE position > ?1 AND position <= ?2
