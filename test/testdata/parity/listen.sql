LISTEN here;

NOTIFY here;

NOTIFY here, 'with a payload';

SELECT pg_notify('here', 'by function'), pg_notify('elsewhere', 'nobody hears');

BEGIN;

NOTIFY here, 'at commit';

NOTIFY here, 'at commit';

NOTIFY here, 'another';

SELECT 1;

COMMIT;

BEGIN;

NOTIFY here, 'never';

ROLLBACK;

SELECT pg_listening_channels();

LISTEN "Mixed Case";

NOTIFY "Mixed Case", 'quoted';

UNLISTEN here;

NOTIFY here, 'not heard';

UNLISTEN *;

SELECT pg_listening_channels();

NOTIFY "Mixed Case", 'not heard';

NOTIFY here, 1;

SELECT pg_notify('', 'no name');

CREATE TABLE watched (id int);

CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('rows', NEW.id::text); RETURN NEW; END $$;

CREATE TRIGGER tell AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION tell();

LISTEN rows;

INSERT INTO watched VALUES (1), (2), (3);

UNLISTEN rows;
