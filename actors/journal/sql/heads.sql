-- One row for a writer whose memory of the file may be old: generation, how far the indexes reach, the last
-- position, and as JSON the epochs [[shard, epoch], ...]. One statement, so that they belong together.
SELECT
    generation,
    indexed,
    (SELECT ifnull(max(position), 0) FROM events),
    (SELECT json_group_array(json_array(shard, epoch)) FROM shards)
FROM journal
