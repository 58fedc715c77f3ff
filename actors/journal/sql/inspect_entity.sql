-- Events of one entity for people, read beside a running worker whose memory cannot be asked for what is
-- not indexed yet: those are looked through. ?1 aggregate, ?2 id, ?3 after version, ?4 limit.
SELECT e.shard, e.seq, e.aggregate, e.id, e.version, e.type, e.command_id, e.fingerprint, e.at, e.by, e.trace, e.data
FROM (
    SELECT position FROM by_entity WHERE aggregate = ?1 AND id = ?2 AND version > ?3
    UNION
    SELECT position FROM events
    WHERE position > (SELECT indexed FROM journal) AND aggregate = ?1 AND id = ?2 AND version > ?3
) CROSS JOIN events AS e USING (position)
ORDER BY e.version
LIMIT ?4
