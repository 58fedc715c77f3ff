-- What tells this journal from any other. A physical standby has its primary's number, a restored copy another;
-- everybody may ask for it. The schema is the context's name.
SELECT system_identifier::text || '/' || current_database() || '/' || current_schema() FROM pg_control_system()
