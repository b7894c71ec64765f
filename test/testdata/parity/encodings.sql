SHOW client_encoding;

SELECT 'grüße, мир, 世界, 🐘' AS "naïve", E'\u00e9 e\u0301' AS accents;

CREATE TABLE "таблица" ("столбец" text, "空 白" int);

INSERT INTO "таблица" VALUES ('значение', 1);

SELECT * FROM "таблица";

SELECT "нет" FROM "таблица";

SELECT length('🐘'), octet_length('🐘'), upper('straße'), reverse('añb');

SET client_encoding = 'LATIN1';

SELECT chr(233) AS latin, length(chr(233));

SELECT chr(8364);

SELECT "столбец" FROM "таблица";

SHOW client_encoding;

RESET client_encoding;

SHOW client_encoding;

SET client_encoding = 'SQL_ASCII';

SELECT chr(8364);

SET NAMES 'UTF8';

SET client_encoding = 'nonsense';

SELECT convert_from('\xe9'::bytea, 'LATIN1'), convert_to('é', 'UTF8');

SELECT convert_from('\xff'::bytea, 'UTF8');

SELECT U&'\0441\043b\043e\043d', U&"\0441" FROM (SELECT 1 AS "с") s;

SET standard_conforming_strings = off;

SELECT 'a\tb\\c', E'a\tb';

SET escape_string_warning = off;

SELECT 'it\'s';

CREATE TABLE escaped (v text DEFAULT 'a\tb;');

RESET standard_conforming_strings;

RESET escape_string_warning;

INSERT INTO escaped DEFAULT VALUES RETURNING v;

SET bytea_output = 'escape';

SELECT '\x00ff41'::bytea;

RESET bytea_output;

SELECT 'a' < 'B' COLLATE "C", 'a' < 'B' COLLATE "ucs_basic";
