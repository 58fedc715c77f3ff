-- Tables of generations that are no more.
SELECT relname::text AS name
FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relkind = 'r' AND relname ~ '^g[0-9]+$'
    AND relname::text NOT IN (SELECT 'g' || number FROM generations)
