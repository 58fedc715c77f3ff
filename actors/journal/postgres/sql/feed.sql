-- Events of shard $1 with sequences above $2, at most $3.
SELECT shard, seq, aggregate, id, version, type, command_id, fingerprint, at, by, trace, data
FROM events
WHERE shard = $1 AND seq > $2
ORDER BY seq
LIMIT $3
