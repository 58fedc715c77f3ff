-- Sort the events after position ?1 up to ?2 in.
INSERT OR IGNORE INTO temp.gathered (aggregate, id, version, position)
SELECT aggregate, id, version, position FROM events WHERE position > ?1 AND position <= ?2
