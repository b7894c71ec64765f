CREATE TABLE base (id int PRIMARY KEY, v varchar(20) DEFAULT 'x', n numeric(6, 2) CHECK (n > 0));

CREATE TABLE derived (id int REFERENCES base, CONSTRAINT both UNIQUE (id));

CREATE VIEW looking AS SELECT id, v FROM base WHERE n > 1 WITH CHECK OPTION;

CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS boolean LANGUAGE sql AS 'SELECT true';

CREATE TRIGGER tg BEFORE UPDATE ON base FOR EACH ROW WHEN (OLD.v IS DISTINCT FROM NEW.v) EXECUTE FUNCTION suppress_redundant_updates_trigger();

SELECT schema_name FROM information_schema.schemata ORDER BY 1;

SELECT table_schema, table_name, table_type, is_insertable_into FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2;

SELECT table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, udt_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 3;

SELECT constraint_name, constraint_type, table_name, is_deferrable FROM information_schema.table_constraints WHERE constraint_schema = 'public' AND constraint_name !~ '^[0-9]' ORDER BY 1;

SELECT * FROM information_schema.key_column_usage WHERE table_schema = 'public' ORDER BY constraint_name;

SELECT * FROM information_schema.referential_constraints;

SELECT table_name, view_definition, check_option FROM information_schema.views WHERE table_schema = 'public';

SELECT routine_name, data_type, routine_definition FROM information_schema.routines WHERE routine_schema NOT IN ('pg_catalog', 'information_schema');

SELECT trigger_name, event_manipulation, action_condition, action_statement FROM information_schema.triggers;

SELECT grantee = current_user, table_name, privilege_type FROM information_schema.table_privileges WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 2, 3;

SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2;

SELECT schemaname, tablename, tableowner = current_user, hasindexes FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)' ORDER BY 2;

SELECT sequencename, start_value, last_value FROM pg_sequences;

SELECT pg_get_viewdef('looking'), pg_get_functiondef('f'::regproc), pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'tg';

SELECT evtname FROM pg_event_trigger WHERE evtname !~ '^tenantsdb_' ORDER BY 1;

SELECT has_database_privilege(current_database(), 'CREATE'), has_schema_privilege('public', 'CREATE'), has_table_privilege('base', 'INSERT');

SELECT rolname = current_user, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = current_user;

SELECT datname = current_database(), pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = current_database();

SELECT relname, relpages >= 0, reltuples FROM pg_class WHERE relname = 'derived';

SELECT (pg_stat_file('PG_VERSION')).size;

SELECT pg_size_pretty(pg_relation_size('base')), pg_total_relation_size('derived') > 0;

SELECT pg_describe_object('pg_class'::regclass, 'base'::regclass, 2), pg_identify_object('pg_class'::regclass, 'base'::regclass, 0);
