SELEKT 1;

SELECT 1 +;

SELECT nothing FROM nowhere;

SELECT missing_column FROM pg_class;

SELECT no_such_function(1, 'a');

SELECT 1 / 0;

SELECT 'abc'::int;

SELECT 99999999999::int4;

SELECT 'a' || 1 + 2;

SELECT * FROM pg_class WHERE oid = 'nowhere'::regclass;

SELECT to_date('2020-13-45', 'YYYY-MM-DD');

SELECT ARRAY[1, 2] = ARRAY['a'];

SELECT '{"a": }'::json;

CREATE TABLE parents (id int PRIMARY KEY, name text NOT NULL UNIQUE, age int CONSTRAINT grown_up CHECK (age >= 18));

CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE RESTRICT, EXCLUDE USING btree (parent WITH =));

INSERT INTO parents VALUES (1, 'Ann', 30);

INSERT INTO parents VALUES (1, 'Bob', 30);

INSERT INTO parents VALUES (2, 'Ann', 30);

INSERT INTO parents VALUES (3, NULL, 30);

INSERT INTO parents VALUES (4, 'Dan', 3);

INSERT INTO children VALUES (1, 99);

INSERT INTO children VALUES (1, 1), (2, 1);

INSERT INTO children VALUES (1, 1);

DELETE FROM parents WHERE id = 1;

INSERT INTO parents (id, name, age) VALUES (5, 'Eve');

CREATE TABLE parents (id int);

CREATE TABLE bad (id int, id text);

CREATE TABLE bad (id int REFERENCES nowhere);

ALTER TABLE parents DROP COLUMN nothing;

ALTER TABLE parents ALTER COLUMN name TYPE int;

ALTER TABLE parents ALTER COLUMN name TYPE int USING name::int;

DROP TABLE nowhere;

DROP TABLE parents;

CREATE INDEX ON parents (nothing);

CREATE VIEW v AS SELECT * FROM nowhere;

SELECT sum(age) FROM parents GROUP BY name HAVING id > 1;

SELECT * FROM parents p JOIN children c USING (nothing);

SELECT id FROM parents, children;

SELECT (SELECT id FROM (VALUES (1), (2)) v(id));

SELECT 1 UNION SELECT 'x';

SELECT * FROM generate_series(1, 10, 0);

SELECT length('x', 'y');

CREATE FUNCTION broken() RETURNS int LANGUAGE sql AS 'SELECT nothing FROM nowhere';

CREATE FUNCTION broken() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN; END';

CREATE FUNCTION raising(code text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'message of %', code USING ERRCODE = code, DETAIL = 'the detail', HINT = 'the hint', COLUMN = 'c', CONSTRAINT = 'k', DATATYPE = 'd', TABLE = 't', SCHEMA = 's';
END $$;

SELECT raising('22012');

SELECT raising('XY123');

SELECT raising('57014');

SELECT raising('54000');

SELECT raising('TDB99');

DO $$ BEGIN PERFORM raising('P0001'); EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'again: % %', SQLSTATE, SQLERRM; END $$;

DO $$ BEGIN EXECUTE 'CREATE TABLE in_do (id int)'; EXECUTE 'SELECT * FROM nowhere'; END $$;

SELECT * FROM in_do;

SELECT '\x0'::bytea;

SELECT E'\uD800';

SELECT $1;

SET no_such_setting = 1;

SET work_mem = 'lots';

SET statement_timeout = -5;

SHOW no_such_setting;

LOCK TABLE parents;

COMMIT AND CHAIN;

SAVEPOINT outside;

VACUUM nowhere;

DEALLOCATE nothing;

EXECUTE nothing;

FETCH FROM nothing;

CLOSE nothing;

ALTER SYSTEM SET work_mem = '1MB';

COPY parents TO '/somewhere';

COPY parents FROM PROGRAM 'true';

SELECT pg_read_file('/etc/hostname');

SET SESSION AUTHORIZATION postgres;

CREATE ROLE intruder;
