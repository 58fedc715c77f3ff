-- The key of the last of the ?4 gathered events after (?1, ?2, ?3): where the next run begins.
SELECT aggregate, id, version
FROM temp.gathered
WHERE (aggregate, id, version) > (?1, ?2, ?3)
ORDER BY aggregate, id, version, position
LIMIT 1 OFFSET ?4 - 1
