CREATE TEMP TABLE scratch (id serial PRIMARY KEY, v text);

INSERT INTO scratch (v) VALUES ('a'), ('b') RETURNING *;

CREATE INDEX ON scratch (v);

ALTER TABLE scratch ADD extra int;

CREATE TEMP VIEW seen AS SELECT v FROM scratch;

TABLE seen;

BEGIN;

CREATE TEMP TABLE dropping (id int) ON COMMIT DROP;

CREATE TEMPORARY TABLE emptied (id int) ON COMMIT DELETE ROWS;

INSERT INTO emptied VALUES (1);

COMMIT;

TABLE dropping;

TABLE emptied;

SELECT 1 AS one INTO TEMP into_temp;

TABLE into_temp;

CREATE TEMP SEQUENCE counter;

SELECT nextval('counter'), nextval('counter');

CREATE FUNCTION pg_temp.hidden() RETURNS int LANGUAGE sql AS 'SELECT 5';

SELECT pg_temp.hidden();

CREATE TABLE persistent (id int);

CREATE TEMP TABLE persistent (other text);

TABLE persistent;

DROP TABLE persistent;

TABLE persistent;

DROP TABLE scratch;

DROP TABLE scratch CASCADE;

DISCARD TEMP;

TABLE emptied;

SELECT relname FROM pg_class WHERE relpersistence = 't';

CREATE UNLOGGED TABLE fast (id int);

ALTER TABLE fast SET LOGGED;

SELECT 1 AS a, 2 AS b INTO made_by_select;

TABLE made_by_select;

CREATE TABLE none_yet AS SELECT 1 AS one WITH NO DATA;

TABLE none_yet;

CREATE TABLE IF NOT EXISTS none_yet AS SELECT 2;
