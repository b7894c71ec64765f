\set ON_ERROR_STOP off
CREATE TABLE t (id int, v text);
\copy t from stdin
1	one
2	two
\.
\copy t (id, v) from program 'printf "3,three\\n4,\\"fo,ur\\"\\n"' with (format csv)
\copy t to stdout
\copy (select v from t order by id desc) to stdout with csv header
\copy t from program 'echo not a number'
\copy nowhere from program 'true'
\copy t to program 'sort -r'
SELECT 'CREATE TABLE gen_' || g || ' (id int)' FROM generate_series(1, 3) g
\gexec
SELECT 'SELECT ' || g, 'DROP TABLE gen_' || g FROM generate_series(1, 4) g
\gexec
SELECT 1 AS one, 'x' AS text
\gset my_
\echo :my_one :'my_text'
SELECT :my_one + 1, :'my_text', :"my_text" FROM (SELECT 5 AS x) s;
SELECT id, v, 1.5::numeric(4,2) AS n FROM t
\gdesc
SELECT * FROM t WHERE id = 1 \gx
SELECT * FROM t ORDER BY id
\g (format=csv tuples_only=on)
SELECT id AS r, v AS c, id * 10 AS n FROM t ORDER BY 1 \crosstabview
\set FETCH_COUNT 3
SELECT g, repeat('x', g) FROM generate_series(1, 11) g;
SELECT 1 / (5 - g) FROM generate_series(1, 9) g;
INSERT INTO t SELECT g FROM generate_series(10, 14) g RETURNING id;
\unset FETCH_COUNT
\set AUTOCOMMIT off
INSERT INTO t VALUES (100, 'lost');
\echo :ROW_COUNT :SQLSTATE :ERROR
ROLLBACK;
CREATE TABLE lost (id int);
ROLLBACK;
CREATE TABLE kept (id int);
COMMIT;
\set AUTOCOMMIT on
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kept VALUES (1);
INSERT INTO kept VALUES ('bad');
CREATE TABLE kept (id int);
INSERT INTO kept VALUES (2);
COMMIT;
\set ON_ERROR_ROLLBACK off
SELECT * FROM kept ORDER BY id;
\dt
SELECT 1 / 0;
\errverbose
\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE
\if :ERROR
\echo failed
\endif
SELECT 'a' \; SELECT 'b', 'c' \; SELECT 1 / 0 \; SELECT 'd';
\encoding
\encoding LATIN1
SELECT chr(233);
\encoding UTF8
\pset null '(nil)'
\x on
SELECT NULL, v FROM t WHERE id = 2;
\x off
\timing off
\set VERBOSITY terse
SELECT nothing;
\set VERBOSITY default
SELECT nothing;
\set SHOW_ALL_RESULTS off
SELECT 1 \; SELECT 2;
\set SINGLESTEP off
\! true
\prompt
x
PREPARE p AS SELECT $1::int;
EXECUTE p(5);
\set ECHO_HIDDEN on
\dn
\set ECHO_HIDDEN off
LISTEN here;
NOTIFY here, 'hello';
SELECT 1;
BEGIN;
SELECT 1 \g
\set QUIET on
\c
SELECT count(*) FROM kept;
\conninfo_is_not_a_command
\q
