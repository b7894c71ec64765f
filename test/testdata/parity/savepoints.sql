CREATE TABLE t (id int);

BEGIN;

SAVEPOINT a;

INSERT INTO t VALUES (1);

SAVEPOINT b;

CREATE TABLE inner_b (id int);

INSERT INTO t VALUES ('bad');

SELECT 1;

ROLLBACK TO b;

SELECT * FROM t;

SELECT * FROM inner_b;

ROLLBACK TO SAVEPOINT a;

RELEASE a;

RELEASE b;

ROLLBACK TO a;

ROLLBACK;

BEGIN;

SAVEPOINT same;

CREATE TABLE one (id int);

SAVEPOINT same;

CREATE TABLE two (id int);

ROLLBACK TO same;

RELEASE same;

SELECT * FROM one;

ROLLBACK TO same;

RELEASE same;

COMMIT;

SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1;

DO $$
BEGIN
  CREATE TABLE kept (id int);
  BEGIN
    CREATE TABLE dropped (id int);
    PERFORM 1 / 0;
  EXCEPTION WHEN division_by_zero THEN
    RAISE NOTICE 'caught %', SQLERRM;
  END;
END $$;

SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1;
