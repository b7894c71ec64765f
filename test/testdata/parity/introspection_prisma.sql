CREATE SCHEMA app;

CREATE TYPE "Role" AS ENUM ('USER', 'ADMIN');

CREATE TABLE "User" ("id" TEXT NOT NULL, "email" TEXT NOT NULL, "role" "Role" NOT NULL DEFAULT 'USER', "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, CONSTRAINT "User_pkey" PRIMARY KEY ("id"));

CREATE TABLE app."Post" ("id" SERIAL NOT NULL, "authorId" TEXT NOT NULL, "score" DECIMAL(65, 30) NOT NULL, CONSTRAINT "Post_pkey" PRIMARY KEY ("id"));

CREATE UNIQUE INDEX "User_email_key" ON "User"("email");

ALTER TABLE app."Post" ADD CONSTRAINT "Post_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

SELECT EXISTS(SELECT 1 FROM pg_namespace WHERE nspname = 'public'), version() = version(), current_setting('server_version_num')::integer AS numeric_version;

SELECT namespace.nspname AS namespace_name FROM pg_namespace AS namespace WHERE namespace.nspname = ANY (ARRAY['public', 'app']) ORDER BY namespace_name;

SELECT tbl.relname AS table_name, namespace.nspname AS namespace, (tbl.relhassubclass AND tbl.relkind = 'p') AS is_partition, (tbl.relhassubclass AND tbl.relkind = 'r') AS has_subclass, tbl.relrowsecurity AS has_row_level_security, reloptions, obj_description(tbl.oid, 'pg_class') AS description
FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace ON namespace.oid = tbl.relnamespace WHERE tbl.relkind IN ('r', 'p') AND namespace.nspname = ANY (ARRAY['public', 'app']) ORDER BY namespace, table_name;

SELECT oid.namespace, info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) AS formatted_type, info.numeric_precision, info.numeric_scale, info.numeric_precision_radix, info.datetime_precision, info.data_type, info.udt_schema AS type_schema_name, info.udt_name AS full_data_type, pg_get_expr(attdef.adbin, attdef.adrelid) AS column_default, info.is_nullable, info.is_identity, info.character_maximum_length, description.description
FROM information_schema.columns info JOIN pg_attribute att ON att.attname = info.column_name JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname AS namespace FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace AND pg_namespace.nspname = ANY (ARRAY['public', 'app']) WHERE reltype > 0) AS oid ON oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema LEFT OUTER JOIN pg_attrdef attdef ON attdef.adrelid = att.attrelid AND attdef.adnum = att.attnum AND table_schema = namespace LEFT OUTER JOIN pg_description description ON description.objsubid = ordinal_position AND description.objoid = oid.oid
WHERE table_schema = ANY (ARRAY['public', 'app']) ORDER BY namespace, table_name, ordinal_position;

SELECT t.typname AS name, e.enumlabel AS value, n.nspname AS namespace, obj_description(t.oid, 'pg_type') AS description FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = ANY (ARRAY['public', 'app']) ORDER BY e.enumsortorder;

SELECT sequence_name, sequence_schema AS namespace, start_value::INT8, minimum_value::INT8 AS min_value, maximum_value::INT8 AS max_value, increment::INT8 AS increment_by, (CASE cycle_option WHEN 'yes' THEN true ELSE false END) AS cycle FROM information_schema.sequences WHERE sequence_schema = ANY (ARRAY['public', 'app']);

SELECT views.viewname AS view_name, views.definition AS view_sql, views.schemaname AS namespace FROM pg_catalog.pg_views views WHERE schemaname = ANY (ARRAY['public', 'app']);

SELECT p.proname AS name, n.nspname AS namespace FROM pg_proc p LEFT JOIN pg_namespace n ON p.pronamespace = n.oid WHERE n.nspname = ANY (ARRAY['public', 'app']);

WITH rawindex AS (SELECT indrelid, indexrelid, indisunique, indisprimary, unnest(indkey) AS indkeyid, generate_subscripts(indkey, 1) AS indkeyidx, unnest(indclass) AS indclass, unnest(indoption) AS indoption FROM pg_index WHERE indpred IS NULL AND NOT indisexclusion)
SELECT schemainfo.nspname AS namespace, indexinfo.relname AS index_name, tableinfo.relname AS table_name, columninfo.attname AS column_name, rawindex.indisunique AS is_unique, rawindex.indisprimary AS is_primary_key, rawindex.indkeyidx AS column_index, opclass.opcname AS opclass, opclass.opcdefault AS opcdefault, indexaccess.amname AS index_algo, CASE rawindex.indoption & 1 WHEN 1 THEN 'DESC' ELSE 'ASC' END AS column_order
FROM rawindex INNER JOIN pg_class AS tableinfo ON tableinfo.oid = rawindex.indrelid INNER JOIN pg_class AS indexinfo ON indexinfo.oid = rawindex.indexrelid INNER JOIN pg_namespace AS schemainfo ON schemainfo.oid = tableinfo.relnamespace LEFT JOIN pg_attribute AS columninfo ON columninfo.attrelid = tableinfo.oid AND columninfo.attnum = rawindex.indkeyid INNER JOIN pg_am AS indexaccess ON indexaccess.oid = indexinfo.relam LEFT JOIN pg_opclass AS opclass ON opclass.oid = rawindex.indclass
WHERE schemainfo.nspname = ANY (ARRAY['public', 'app']) ORDER BY namespace, table_name, index_name, column_index;

SELECT extname AS extension_name, extversion AS extension_version, extrelocatable AS extension_relocatable, pn.nspname AS extension_schema FROM pg_extension pe INNER JOIN pg_namespace pn ON pe.extnamespace = pn.oid ORDER BY extname ASC;

SELECT pg_advisory_lock(72707369);

CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0);

-- AlterTable
ALTER TABLE "User" ADD COLUMN "name" TEXT\; CREATE TABLE "Tag" ("id" SERIAL NOT NULL, CONSTRAINT "Tag_pkey" PRIMARY KEY ("id"))\; ALTER TYPE "Role" ADD VALUE 'GUEST';

INSERT INTO "public"."User" ("id", "email", "role") VALUES ('a', 'a@example.com', CAST('ADMIN'::text AS "public"."Role")) RETURNING "public"."User"."id", "public"."User"."role"::text;

INSERT INTO "User" ("id", "email") VALUES ('b', 'a@example.com');

SELECT "t0"."id", COALESCE("aggr"."n", 0) FROM "User" AS "t0" LEFT JOIN LATERAL (SELECT count(*) AS n FROM app."Post" p WHERE p."authorId" = "t0"."id") AS "aggr" ON true LIMIT 10 OFFSET 0;

DROP SCHEMA app CASCADE;
