-- Events of one entity ($1 aggregate, $2 id) with versions above $3, at most $4.
SELECT shard, seq, aggregate, id, version, type, command_id, fingerprint, at, by, trace, data
FROM events
WHERE aggregate = $1 AND id = $2 AND version > $3
ORDER BY version
LIMIT $4
