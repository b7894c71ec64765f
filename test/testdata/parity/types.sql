SELECT 1::int2, 2::int4, 3::int8, 1.5::float4, 2.25::float8, 12345678901234567890.0987654321::numeric, 'NaN'::numeric, 'Infinity'::float8;

SELECT true, false, NULL::bool, 'x'::"char", 'ab'::char(4), 'abc'::varchar(2), 'text'::text, 'name'::name;

SELECT '\xdeadbeef00ff'::bytea, B'10110'::bit(5), B'101'::varbit, '550e8400-e29b-41d4-a716-446655440000'::uuid;

SELECT '(1,2)'::point, '[(0,0),(1,1)]'::lseg, '((0,0),(2,2))'::box, '<(1,1),3>'::circle, '((0,0),(1,1),(1,0))'::polygon;

SELECT '192.168.1.5/24'::inet, '10.0.0.0/8'::cidr, '08:00:2b:01:02:03'::macaddr, '08:00:2b:01:02:03:04:05'::macaddr8;

SELECT '$1,234.50'::money, 'a fat cat'::tsvector, 'fat & !rat'::tsquery, '<a>b</a>'::xml;

SELECT ARRAY[1, NULL, 3], ARRAY[['a', 'b,c'], ['d"e', '']]::text[], '{}'::int[], '[2:4]={7,8,9}'::int[], ARRAY['{"k": [1]}'::jsonb];

SELECT ROW(1, 'two', NULL), ROW(ROW(1, 2), ARRAY[3]), ROW(NULL), ROW('a b', '', ',');

SELECT '{"b": 1, "a": [true, null, 1.50], "b": 2}'::json, '{"b": 1, "a": [true, null, 1.50], "b": 2}'::jsonb, '$.a[*] ? (@ > 1)'::jsonpath;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');

CREATE TYPE pair AS (n int, label text);

CREATE DOMAIN positive AS int CHECK (VALUE > 0);

CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);

SELECT 'ok'::mood, enum_range(NULL::mood), ('ok'::mood > 'sad'), ROW(1, 'x')::pair, (ROW(2, 'y')::pair).label, 7::positive;

SELECT 'wild'::mood;

SELECT (-1)::positive;

SELECT '[1,5)'::int4range, '(,10]'::int8range, 'empty'::numrange, '[2020-01-01,2020-02-01)'::daterange, '[1.5,2.5]'::span, '{[1,3),[7,9)}'::int4multirange;

SELECT int4range(1, 10) * int4range(5, 20), int4range(1, 3) @> 2, range_agg(r) FROM (VALUES (int4range(1, 3)), (int4range(2, 8))) v(r);

CREATE TABLE everything (id int PRIMARY KEY, m mood, p pair, d positive, r span, ms mood[], j jsonb, doubled int GENERATED ALWAYS AS (id * 2) STORED, serial_no int GENERATED ALWAYS AS IDENTITY);

INSERT INTO everything (id, m, p, d, r, ms, j) VALUES (1, 'sad', (1, 'one'), 5, '[0,1)', '{ok,happy}', '{"a": {"b": 1}}') RETURNING *;

INSERT INTO everything (id, serial_no) VALUES (2, 9);

SELECT m, p, (p).n, d, r, ms[2], j #>> '{a,b}' AS b, doubled, serial_no FROM everything;

SELECT j FROM everything WHERE j @> '{"a": {}}' AND j ? 'a';

SELECT jsonb_pretty(j), jsonb_path_query(j, '$.a.b'), jsonb_typeof(j) FROM everything;

SELECT 1 WHERE false;

SELECT;

SELECT FROM generate_series(1, 3);

SELECT 1 AS a, 2 AS a, 3 AS "Mixed Case", 4 AS "quo""te", 5 AS "";

SELECT repeat('x', 63) AS aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg;

VALUES (1, 'a'), (2, 'b');

TABLE everything;
