-- Raise the epochs of shards $1 for owner $2. Waits for appends in flight, always in the order of the shards.
-- $3 the epoch that each must have, NULL if it may be any: a shard with another is left out.
-- $4 the epoch that an earlier try of this very claim may have given it without anybody having heard of it, NULL
-- if there was none: if the shard has it by $2's name, it is told as it is.
--
-- Whoever waits for a lock has the conditions checked again, on the row that the other has left.
WITH locked AS MATERIALIZED (
    SELECT s.shard, s.owner = $2 AND s.epoch = wanted.unheard AS unheard
    FROM shards AS s
    JOIN unnest($1::integer[], $3::bigint[], $4::bigint[]) AS wanted (shard, after, unheard)
        ON wanted.shard = s.shard
    WHERE wanted.after IS NULL OR s.epoch = wanted.after OR (s.owner = $2 AND s.epoch = wanted.unheard)
    ORDER BY s.shard
    FOR NO KEY UPDATE OF s
)
UPDATE shards AS s
SET epoch = CASE WHEN locked.unheard THEN s.epoch ELSE s.epoch + 1 END, owner = $2
FROM locked
WHERE s.shard = locked.shard
RETURNING s.shard, s.epoch
