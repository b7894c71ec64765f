SHOW search_path;

SET search_path = public, pg_catalog;

SHOW search_path;

SELECT current_schemas(true);

SET LOCAL work_mem = '3MB';

BEGIN;

SET LOCAL work_mem = '3MB';

SHOW work_mem;

COMMIT;

SHOW work_mem;

BEGIN;

SET work_mem = '5MB';

ROLLBACK;

SHOW work_mem;

SET application_name = 'renamed';

SELECT current_setting('application_name');

SET SESSION TIME ZONE 'Asia/Kolkata';

SHOW timezone;

SET TIME ZONE INTERVAL '-03:30' HOUR TO MINUTE;

SHOW timezone;

SET TIME ZONE LOCAL;

SET DateStyle = 'German, DMY';

SHOW datestyle;

SET IntervalStyle = 'iso_8601';

SELECT date '2020-02-03', interval '1 day 2 hours';

RESET DateStyle;

RESET IntervalStyle;

SELECT set_config('my.own', 'value', false), current_setting('my.own'), current_setting('no.such', true);

SET my.own TO 'other';

SHOW my.own;

RESET my.own;

SHOW my.own;

SET nosuchprefixsetting = 1;

SET statement_timeout = '10s';

SHOW statement_timeout;

SET statement_timeout = 50;

SELECT pg_sleep(10);

RESET statement_timeout;

SET lock_timeout = 100;

RESET ALL;

SHOW lock_timeout;

SET ROLE NONE;

SET SESSION AUTHORIZATION DEFAULT;

SELECT current_user = session_user;

SET row_security = off;

SET session_replication_role = replica;

SET default_tablespace = '';

CREATE SCHEMA other;

SET search_path = other;

CREATE TABLE here (id int);

SELECT 'here'::regclass;

RESET search_path;

SELECT 'here'::regclass;

SELECT 'other.here'::regclass;

DROP SCHEMA other;

DROP SCHEMA other CASCADE;

DISCARD SEQUENCES;

DISCARD TEMP;

DISCARD ALL;

SHOW application_name;

SELECT name, setting, source FROM pg_settings WHERE source = 'session' ORDER BY name;

SELECT name, setting FROM pg_settings WHERE name LIKE '%.%' AND name NOT LIKE 'plpgsql.%' ORDER BY name;

SELECT current_setting('server_version') = current_setting('server_version'), current_setting('server_encoding');
