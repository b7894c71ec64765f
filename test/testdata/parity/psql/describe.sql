CREATE SCHEMA app;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN zip AS text CHECK (VALUE ~ '^\d+$');
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, m mood DEFAULT 'sad', z zip, twice int GENERATED ALWAYS AS (2) STORED);
CREATE TABLE app.visits (id bigint GENERATED ALWAYS AS IDENTITY, person int REFERENCES people ON DELETE CASCADE, at timestamptz DEFAULT now()) PARTITION BY RANGE (at);
CREATE TABLE app.visits_2024 PARTITION OF app.visits FOR VALUES FROM ('2024-01-01Z') TO ('2025-01-01Z');
CREATE INDEX people_name ON people (lower(name)) WHERE id > 5;
CREATE VIEW grown AS SELECT id, name FROM people WHERE m = 'happy';
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM people;
CREATE FUNCTION answer(a int DEFAULT 42) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a';
CREATE PROCEDURE nothing() LANGUAGE plpgsql AS $$
BEGIN
  NULL;
END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE quiet AS ON DELETE TO people DO INSTEAD NOTHING;
CREATE STATISTICS st ON name, m FROM people;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON people USING (name = current_user);
COMMENT ON TABLE people IS 'Persons';
COMMENT ON COLUMN people.name IS 'Full name';
GRANT SELECT ON people TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
CREATE AGGREGATE product(int) (SFUNC = int4mul, STYPE = int);
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE COLLATION german FROM "C";
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
CREATE SEQUENCE counter START 5;
\d
\d+
\d people
\d+ people
\d app.visits
\d+ app.visits
\d people_name
\d people_id_seq
\d grown
\d+ grown
\d totals
\d pair
\d nothing_like_this
\dt
\dt+
\dt app.*
\dt *.people
\di
\ds
\dv
\dm
\df
\df+ answer
\dfn
\dft
\da
\dT
\dT+ mood
\dD
\dn
\dn+
\dx
\do
\dO
\dF
\dp
\z people
\ddp
\dP
\dX
\dL
\dc nothing
\dC mood
\dRp
\dd
\dconfig work_mem
\sf answer
\sf+ touch
\sv grown
\d *.visits*
\dti+ people*
\dE
\dA
\dg nobody
\db
