DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning'; RAISE INFO 'an info'; RAISE LOG 'not seen'; RAISE DEBUG 'not seen'; END $$;

DO $$ BEGIN RAISE INFO 'mine' USING ERRCODE = 'TDB04'; RAISE NOTICE 'coded' USING ERRCODE = '12345', DETAIL = 'd', HINT = 'h'; END $$;

SET client_min_messages = debug1;

DO $$ BEGIN RAISE LOG 'log'; RAISE DEBUG 'debug'; RAISE NOTICE 'notice'; END $$;

SET client_min_messages = error;

DO $$ BEGIN RAISE NOTICE 'not seen'; RAISE WARNING 'not seen'; RAISE INFO 'seen all the same'; END $$;

CREATE TABLE quiet (id int);

DROP TABLE quiet;

RESET client_min_messages;

DROP TABLE IF EXISTS nowhere;

CREATE TABLE IF NOT EXISTS twice (id int PRIMARY KEY);

CREATE TABLE IF NOT EXISTS twice (id int PRIMARY KEY);

ALTER TABLE twice ADD COLUMN IF NOT EXISTS id int;

CREATE SCHEMA IF NOT EXISTS public;

CREATE TABLE child (id int REFERENCES twice);

CREATE VIEW over_child AS SELECT * FROM child;

DROP TABLE child;

DROP TABLE child CASCADE;

DROP VIEW IF EXISTS over_child, nowhere;

TRUNCATE twice CASCADE;

CREATE FUNCTION noisy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% % on %', TG_WHEN, TG_OP, TG_TABLE_NAME;
  RETURN NEW;
END $$;

CREATE TRIGGER noise BEFORE INSERT OR UPDATE ON twice FOR EACH ROW EXECUTE FUNCTION noisy();

INSERT INTO twice VALUES (1), (2);

UPDATE twice SET id = id + 10;

SELECT 'x' AS identifier_that_is_quite_a_bit_longer_than_postgresql_wants_to_keep_it;

ROLLBACK;

BEGIN;

BEGIN;

ROLLBACK;

SET LOCAL work_mem = '1MB';

GRANT SELECT ON twice TO CURRENT_USER;

REVOKE ALL ON twice FROM PUBLIC;

CREATE INDEX IF NOT EXISTS twice_pkey ON twice (id);

COMMENT ON TABLE twice IS 'with a comment';

CREATE OR REPLACE VIEW plain AS SELECT id FROM twice;

CREATE OR REPLACE VIEW plain AS SELECT id, 1 AS one FROM twice;

CREATE OR REPLACE VIEW plain AS SELECT id FROM twice;

CREATE SEQUENCE s;

SELECT nextval('s'), currval('s'), lastval();

CREATE TABLE after_sequence (id int);

SELECT lastval(), currval('s');

ANALYZE;
