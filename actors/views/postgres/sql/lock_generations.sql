-- Lock generations $1: nobody begins to fold another shard into them before this transaction ends.
SELECT number FROM generations WHERE number = ANY ($1::bigint[]) ORDER BY number FOR UPDATE
