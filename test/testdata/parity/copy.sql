CREATE TABLE c (id int, t text, n numeric DEFAULT 1.5);

COPY c FROM STDIN;
1	one	1.10
2	\N	2.2
3	tab\there	3
4	back\\slash \x41 \101	4
5		5
\.

SELECT * FROM c ORDER BY id;

COPY c TO STDOUT;

COPY (SELECT id, t FROM c ORDER BY id DESC) TO STDOUT WITH (FORMAT csv, HEADER, FORCE_QUOTE *, NULL 'nil');

COPY c (id, t) FROM STDIN WITH (FORMAT csv, HEADER);
id,t
6,"comma, and ""quotes"""
7,"two
lines"
\.

COPY c TO STDOUT (FORMAT csv, DELIMITER ';', QUOTE '''');

COPY c FROM STDIN;
8	too	1	many
\.

COPY c FROM STDIN;
not a number	x	1
\.

COPY c FROM STDIN;
9	missing
\.

COPY c (id) FROM STDIN;
10
11
12
\.

COPY c (nothing) FROM STDIN;

COPY nowhere TO STDOUT;

COPY c TO STDOUT (FORMAT nonsense);

COPY (INSERT INTO c VALUES (20, 'returned') RETURNING id, t) TO STDOUT;

COPY (SELECT 1 / (id - 3) FROM (SELECT id FROM c ORDER BY id) s) TO STDOUT;

BEGIN;

COPY c (id) FROM STDIN;
100
\.

ROLLBACK;

SELECT id, t, n FROM c ORDER BY id;

CREATE VIEW cv AS SELECT * FROM c;

COPY cv TO STDOUT;

COPY c (id, t) FROM STDIN WHERE id > 30;
30	no
31	yes
\.

SELECT t FROM c WHERE id >= 30;
