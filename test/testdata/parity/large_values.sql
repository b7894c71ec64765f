SELECT md5(repeat('x', 1000000)) AS digest, length(repeat('é', 300000)) AS letters;

SELECT repeat('abcdefghij', 20000) AS wide;

SELECT repeat(chr(8364), 50000) AS euros, repeat('y', 65536) AS exactly_64k;

SELECT decode(repeat('00ff', 40000), 'hex') AS bytes;

SELECT g, repeat(g::text, 1000) FROM generate_series(1, 50) g;

SELECT array_agg(g) FROM generate_series(1, 5000) g;

SELECT jsonb_object_agg('key_' || g, g) FROM generate_series(1, 2000) g;

CREATE TABLE big (id int, v text);

INSERT INTO big SELECT g, repeat(md5(g::text), 500) FROM generate_series(1, 40) g;

SELECT id, length(v), v FROM big ORDER BY id;

COPY big TO STDOUT;

DO $$ BEGIN RAISE NOTICE '%', repeat('n', 100000); END $$;

DO $$ BEGIN RAISE EXCEPTION '%', repeat('e', 100000); END $$;

SELECT string_agg('column ' || g, ', ') FROM generate_series(1, 1600) g;
