-- Index the ?5 gathered events after (aggregate ?1, id ?2, version ?3, position ?4), a run of neighbours in the tree.
-- Done again after a crash it changes nothing; another event with the same version violates NOT NULL.
INSERT INTO by_entity (aggregate, id, version, position)
SELECT aggregate, id, version, position
FROM temp.gathered_entities
WHERE (aggregate, id, version, position) > (?1, ?2, ?3, ?4)
ORDER BY aggregate, id, version, position
LIMIT ?5
ON CONFLICT (aggregate, id, version) DO UPDATE SET position = NULL WHERE position <> excluded.position
