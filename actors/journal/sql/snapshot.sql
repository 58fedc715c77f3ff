-- Keep the newest snapshot of an entity. Last written is newest: a shard has one owner.
INSERT INTO snapshots (shard, aggregate, id, version, seq, fingerprint, data)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (aggregate, id) DO UPDATE SET
    shard = excluded.shard, version = excluded.version, seq = excluded.seq,
    fingerprint = excluded.fingerprint, data = excluded.data
