-- The key of the last of the ?5 gathered events after (?1, ?2, ?3, ?4): where the next run begins.
SELECT aggregate, id, version, position
FROM temp.gathered_entities
WHERE (aggregate, id, version, position) > (?1, ?2, ?3, ?4)
ORDER BY aggregate, id, version, position
LIMIT 1 OFFSET ?5 - 1
