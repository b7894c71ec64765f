DO $$ BEGIN END $$;

DO $$ BEGIN CREATE TABLE one (id int); ALTER TABLE one ADD v text; END $$;

DO $outer$
DECLARE
  r record;
BEGIN
  FOR i IN 1..3 LOOP
    EXECUTE 'CREATE TABLE many_' || i || ' (id int)';
  END LOOP;
  FOR r IN SELECT relname FROM pg_class WHERE relname LIKE 'many\_%' ORDER BY 1 LOOP
    RAISE NOTICE 'made %', r.relname;
  END LOOP;
END $outer$ LANGUAGE plpgsql;

DO $$ BEGIN CREATE TABLE gone (id int); RAISE EXCEPTION 'no'; END $$;

SELECT * FROM gone;

DO $$ BEGIN DROP TABLE many_1, many_2; COMMIT; DROP TABLE many_3; ROLLBACK; END $$;

SELECT relname FROM pg_class WHERE relname LIKE 'many\_%';

DO LANGUAGE sql 'SELECT 1';

DO LANGUAGE nothing 'x';

DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 'one') THEN CREATE INDEX one_v ON one (v); END IF; END $$;

DO $$ BEGIN ASSERT 1 = 2, 'one is not two'; END $$;

DO $$ DECLARE n int; BEGIN GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE 'n = %', n; UPDATE one SET v = 'x'; GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE 'n = %, found = %', n, FOUND; END $$;

BEGIN;

DO $$ BEGIN CREATE TABLE in_transaction (id int); COMMIT; END $$;

ROLLBACK;

DO $$ SYNTAX $$;
