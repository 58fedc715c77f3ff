-- How far the indexes reach, and the last position.
SELECT indexed, (SELECT ifnull(max(position), 0) FROM events) FROM journal
