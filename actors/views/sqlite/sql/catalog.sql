-- Everything but the documents, in one row: as JSON [[number, view, shape, state, paused], ...] and
-- [[generation, shard, seq, complete], ...].
SELECT
    (
        SELECT json_group_array(json_array(number, view, shape, state, ifnull(paused, 0)))
        FROM (SELECT * FROM generations LEFT JOIN views USING (view) ORDER BY number)
    ),
    (SELECT json_group_array(json_array(generation, shard, seq, complete)) FROM positions)
