-- Sort the events after position ?1 up to ?2 in, for by_entity.
INSERT OR IGNORE INTO temp.gathered_entities (aggregate, id, version, position)
SELECT aggregate, id, version, position FROM events WHERE position > ?1 AND position <= ?2
