PREPARE plus (int, int) AS SELECT $1 + $2 AS sum;

EXECUTE plus (1, 2);

EXECUTE plus ('3', 4);

EXECUTE plus (1);

EXECUTE plus ('a', 2);

PREPARE plus AS SELECT 1;

PREPARE untyped AS SELECT $1::text || $2;

EXECUTE untyped ('a', 'b');

SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements ORDER BY name;

CREATE TABLE p (id int, v text);

PREPARE ins AS INSERT INTO p VALUES ($1, $2) RETURNING *;

EXECUTE ins (1, 'one');

ALTER TABLE p ADD COLUMN more int;

EXECUTE ins (2, 'two');

PREPARE sel AS SELECT * FROM p ORDER BY id;

EXECUTE sel;

ALTER TABLE p DROP COLUMN more;

EXECUTE sel;

PREPARE ddl AS CREATE TABLE never (id int);

PREPARE ctas AS SELECT id FROM p WHERE id > $1;

CREATE TABLE from_prepared AS EXECUTE ctas (1);

TABLE from_prepared;

EXPLAIN (COSTS OFF) EXECUTE ctas (1);

DEALLOCATE plus;

EXECUTE plus (1, 2);

BEGIN;

PREPARE in_transaction AS SELECT 42;

ROLLBACK;

EXECUTE in_transaction;

DEALLOCATE ALL;

EXECUTE in_transaction;

DISCARD PLANS;
