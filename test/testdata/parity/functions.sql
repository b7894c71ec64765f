CREATE FUNCTION add(a int, b int DEFAULT 10) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT a + b; $$;

SELECT add(1), add(1, 2), add(b => 5, a => 6);

CREATE OR REPLACE FUNCTION rows_of(n int) RETURNS TABLE (i int, sq int) LANGUAGE plpgsql AS $body$
DECLARE
  k int := 0; -- a ; in a comment
BEGIN
  FOR k IN 1..n LOOP
    i := k; sq := k * k;
    RETURN NEXT;
  END LOOP;
END;
$body$;

SELECT * FROM rows_of(3);

SELECT rows_of(2);

CREATE FUNCTION many(OUT a int, OUT b text, INOUT c int) LANGUAGE sql AS 'SELECT 1, ''x'', c + 1';

SELECT many(4);

SELECT * FROM many(4);

CREATE PROCEDURE twice_committed() LANGUAGE plpgsql AS $$
BEGIN
  CREATE TABLE first (id int);
  COMMIT;
  CREATE TABLE second (id int);
  ROLLBACK;
  RAISE NOTICE 'done';
END $$;

CALL twice_committed();

SELECT relname FROM pg_class WHERE relname IN ('first', 'second');

BEGIN;

CALL twice_committed();

ROLLBACK;

CREATE PROCEDURE with_out(IN a int, INOUT b int) LANGUAGE plpgsql AS $$ BEGIN b := a + b; END $$;

CALL with_out(1, 2);

CREATE FUNCTION make_table(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY)', name);
END $$;

SELECT make_table('made'), make_table('made "too"');

SELECT make_table('made');

SELECT * FROM "made ""too""";

CREATE FUNCTION makes_in_sql() RETURNS void LANGUAGE sql AS 'CREATE TABLE by_sql (id int); CREATE INDEX by_sql_i ON by_sql (id)';

SELECT makes_in_sql();

CREATE FUNCTION std(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT a + 1; END;

SELECT std(1);

CREATE AGGREGATE product(int) (SFUNC = int4mul, STYPE = int, INITCOND = '1');

SELECT product(v) FROM (VALUES (2), (3), (7)) t(v);

CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq, COMMUTATOR = ===);

SELECT 1 === 1, 1 === 2;

CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log VALUES (TG_OP, to_jsonb(OLD), to_jsonb(NEW));
  RETURN COALESCE(NEW, OLD);
END $$;

CREATE TABLE log (op text, was jsonb, is_now jsonb);

CREATE TABLE audited (id int, v text);

CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON audited FOR EACH ROW EXECUTE FUNCTION audit();

INSERT INTO audited VALUES (1, 'a'), (2, 'b');

UPDATE audited SET v = 'c' WHERE id = 1;

DELETE FROM audited;

SELECT * FROM log;

DROP FUNCTION add;

DROP FUNCTION add(int, int), rows_of(int);

DROP FUNCTION audit();

DROP FUNCTION audit() CASCADE;

DROP ROUTINE nothing();
