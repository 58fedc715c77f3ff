-- One row: as JSON [[shard, last sequence], ...] of the events after position ?1, and the last position.
-- Positions are given in the order of commits, so whoever has seen those up to ?1 lacks nothing else.
SELECT
    (SELECT json_group_array(json_array(shard, seq)) FROM (
        SELECT shard, max(seq) AS seq FROM events WHERE position > ?1 GROUP BY shard
    )),
    (SELECT ifnull(max(position), 0) FROM events)
