SELECT pg_advisory_lock(42);

SELECT pg_try_advisory_lock(42), pg_try_advisory_lock(1, 2);

SELECT mode, granted, classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY objid;

SELECT pg_advisory_unlock(42), pg_advisory_unlock(42), pg_advisory_unlock(42);

BEGIN;

SELECT pg_advisory_xact_lock_shared(7), pg_try_advisory_xact_lock(8);

COMMIT;

SELECT pg_advisory_unlock_all();

SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();

CREATE TABLE locked (id int PRIMARY KEY, v int);

INSERT INTO locked VALUES (1, 1);

BEGIN;

LOCK TABLE locked IN ACCESS EXCLUSIVE MODE NOWAIT;

SELECT * FROM locked FOR UPDATE SKIP LOCKED;

SELECT mode FROM pg_locks WHERE relation = 'locked'::regclass AND pid = pg_backend_pid() ORDER BY 1;

COMMIT;
