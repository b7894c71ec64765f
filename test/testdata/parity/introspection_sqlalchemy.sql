CREATE TYPE colour AS ENUM ('red', 'green');

CREATE DOMAIN zip AS varchar(5) CONSTRAINT digits CHECK (VALUE ~ '^[0-9]+$');

CREATE TABLE item (id integer PRIMARY KEY, shade colour DEFAULT 'red', z zip, amount numeric(10, 2), tags varchar(10)[], at timestamptz, span interval day to second);

CREATE TABLE link (item_id integer NOT NULL REFERENCES item (id) ON UPDATE CASCADE, other integer, CONSTRAINT uq UNIQUE NULLS NOT DISTINCT (item_id, other));

CREATE INDEX ix_item_amount ON item USING btree (amount) WITH (fillfactor = 70) WHERE amount > 0;

select pg_catalog.version() = pg_catalog.version();

show standard_conforming_strings;

select current_schema();

show transaction isolation level;

SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relname = 'item' AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog';

SELECT pg_catalog.pg_namespace.nspname FROM pg_catalog.pg_namespace WHERE pg_catalog.pg_namespace.nspname NOT LIKE 'pg\_%' ORDER BY pg_catalog.pg_namespace.nspname;

SELECT pg_catalog.pg_attribute.attname AS name, pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, pg_catalog.pg_attribute.atttypmod) AS format_type, (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, pg_catalog.pg_attrdef.adrelid) AS pg_get_expr_1 FROM pg_catalog.pg_attrdef WHERE pg_catalog.pg_attrdef.adrelid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum AND pg_catalog.pg_attribute.atthasdef) AS "default", pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.pg_class.relname AS table_name, pg_catalog.pg_description.description AS comment, pg_catalog.pg_attribute.attgenerated AS generated,
(SELECT json_build_object('always', pg_catalog.pg_attribute.attidentity = 'a', 'start', pg_catalog.pg_sequence.seqstart) FROM pg_catalog.pg_sequence WHERE pg_catalog.pg_attribute.attidentity != '' AND pg_catalog.pg_sequence.seqrelid = CAST(CAST(pg_catalog.pg_get_serial_sequence(CAST(CAST(pg_catalog.pg_attribute.attrelid AS REGCLASS) AS TEXT), pg_catalog.pg_attribute.attname) AS REGCLASS) AS OID)) AS identity_options
FROM pg_catalog.pg_class LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attribute.attnum > 0 AND NOT pg_catalog.pg_attribute.attisdropped LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_description.objsubid = pg_catalog.pg_attribute.attnum JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog' AND pg_catalog.pg_class.relname IN ('item', 'link') ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum;

SELECT pg_catalog.pg_type.typname AS name, pg_catalog.pg_type_is_visible(pg_catalog.pg_type.oid) AS visible, pg_catalog.pg_namespace.nspname AS schema, lbl_agg.labels AS labels
FROM pg_catalog.pg_type JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_type.typnamespace LEFT OUTER JOIN (SELECT pg_catalog.pg_enum.enumtypid AS enumtypid, array_agg(CAST(pg_catalog.pg_enum.enumlabel AS TEXT) ORDER BY pg_catalog.pg_enum.enumsortorder) AS labels FROM pg_catalog.pg_enum GROUP BY pg_catalog.pg_enum.enumtypid) AS lbl_agg ON pg_catalog.pg_type.oid = lbl_agg.enumtypid
WHERE pg_catalog.pg_type.typtype = 'e' ORDER BY pg_catalog.pg_namespace.nspname, pg_catalog.pg_type.typname;

SELECT t.typname AS name, pg_catalog.format_type(t.typbasetype, t.typtypmod) AS attype, NOT t.typnotnull AS nullable, t.typdefault AS "default", pg_catalog.pg_type_is_visible(t.oid) AS visible, n.nspname AS schema, con.defs
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN (SELECT contypid, array_agg(pg_catalog.pg_get_constraintdef(oid, true)) AS defs FROM pg_catalog.pg_constraint WHERE contypid != 0 GROUP BY contypid) con ON t.oid = con.contypid WHERE t.typtype = 'd' ORDER BY n.nspname, t.typname;

SELECT attr.conname, array_agg(CAST(attr.attname AS TEXT) ORDER BY attr.ord) AS cols, min(attr.description) AS description
FROM (SELECT con.conname, con.description, unnest(con.conkey) AS attnum, con.conrelid, generate_subscripts(con.conkey, 1) AS ord0, pg_catalog.pg_attribute.attname, generate_subscripts(con.conkey, 1) AS ord FROM (SELECT pg_catalog.pg_constraint.conrelid, pg_catalog.pg_constraint.conname, pg_catalog.pg_constraint.conkey, pg_catalog.pg_description.description FROM pg_catalog.pg_constraint LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_constraint.oid WHERE pg_catalog.pg_constraint.contype = 'u' AND pg_catalog.pg_constraint.conrelid = 'link'::regclass) con JOIN pg_catalog.pg_attribute ON pg_catalog.pg_attribute.attrelid = con.conrelid AND pg_catalog.pg_attribute.attnum = ANY (con.conkey)) attr GROUP BY attr.conname;

SELECT c.relname, r.conname, pg_catalog.pg_get_constraintdef(r.oid, true) AS condef, n.nspname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_constraint r ON c.oid = r.conrelid AND r.contype = 'f' LEFT JOIN pg_catalog.pg_class ref ON ref.oid = r.confrelid LEFT JOIN pg_catalog.pg_namespace n ON n.oid = ref.relnamespace WHERE c.relname IN ('item', 'link') ORDER BY 1, 2;

SELECT i.relname, ix.indisunique, ix.indoption, i.reloptions, am.amname, pg_catalog.pg_get_expr(ix.indpred, ix.indrelid) AS filter_definition, ix.indnkeyatts, ix.indnullsnotdistinct
FROM pg_catalog.pg_index ix JOIN pg_catalog.pg_class i ON ix.indexrelid = i.oid JOIN pg_catalog.pg_am am ON i.relam = am.oid LEFT JOIN pg_catalog.pg_constraint con ON ix.indrelid = con.conrelid AND ix.indexrelid = con.conindid AND con.contype = ANY (ARRAY['p', 'u', 'x'])
WHERE ix.indrelid IN ('item'::regclass, 'link'::regclass) AND NOT ix.indisprimary ORDER BY i.relname;

SELECT pg_catalog.pg_get_viewdef('pg_catalog.pg_tables'::regclass) = pg_catalog.pg_get_viewdef('pg_catalog.pg_tables'::regclass);

INSERT INTO item (id, shade) SELECT p0::INTEGER, p1::colour FROM (VALUES (1, 'red', 0), (2, 'green', 1)) AS imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING item.id, item.shade, item.id AS id__1;
