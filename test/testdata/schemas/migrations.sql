-- Years of a product's migrations, as three frameworks sent them one after the
-- other: each small transaction does one thing, with data moved in between,
-- steps repeated, steps that failed, and much that was later undone.

-- Flyway: plain SQL files, a history table, each migration in a transaction.
CREATE TABLE IF NOT EXISTS flyway_schema_history (
    "installed_rank" INT NOT NULL,
    "version" VARCHAR(50),
    "description" VARCHAR(200) NOT NULL,
    "type" VARCHAR(20) NOT NULL,
    "script" VARCHAR(1000) NOT NULL,
    "checksum" INTEGER,
    "installed_by" VARCHAR(100) NOT NULL,
    "installed_on" TIMESTAMP NOT NULL DEFAULT now(),
    "execution_time" INTEGER NOT NULL,
    "success" BOOLEAN NOT NULL
) WITH (OIDS=FALSE);
ALTER TABLE "flyway_schema_history" ADD CONSTRAINT "flyway_schema_history_pk" PRIMARY KEY ("installed_rank");
CREATE INDEX "flyway_schema_history_s_idx" ON "flyway_schema_history" ("success");
CREATE FUNCTION pg_temp.done(v text) RETURNS void LANGUAGE sql AS $$ INSERT INTO flyway_schema_history VALUES ((SELECT count(*) + 1 FROM flyway_schema_history), v, 'migration ' || v, 'SQL', 'V' || v || '.sql', 0, current_user, now(), 1, true) $$;

BEGIN; CREATE TABLE users (id serial PRIMARY KEY, name varchar(50)); SELECT pg_temp.done('1'); COMMIT;
BEGIN; ALTER TABLE users ADD COLUMN email varchar(100); SELECT pg_temp.done('2'); COMMIT;
BEGIN; CREATE UNIQUE INDEX users_email ON users (email); SELECT pg_temp.done('3'); COMMIT;
BEGIN; INSERT INTO users (name, email) SELECT 'user ' || g, 'user' || g || '@example.com' FROM generate_series(1, 40) g; SELECT pg_temp.done('4'); COMMIT;
BEGIN; ALTER TABLE users ALTER COLUMN name SET NOT NULL; SELECT pg_temp.done('5'); COMMIT;
BEGIN; ALTER TABLE users RENAME COLUMN name TO full_name; SELECT pg_temp.done('6'); COMMIT;
BEGIN; ALTER TABLE users ALTER COLUMN full_name TYPE text; SELECT pg_temp.done('7'); COMMIT;
BEGIN; ALTER TABLE users ADD COLUMN created varchar(30) DEFAULT '2020-01-01 00:00:00'; SELECT pg_temp.done('8'); COMMIT;
BEGIN; ALTER TABLE users ALTER COLUMN created DROP DEFAULT, ALTER COLUMN created TYPE timestamptz USING created::timestamptz, ALTER COLUMN created SET DEFAULT now(); SELECT pg_temp.done('9'); COMMIT;
BEGIN; CREATE TABLE groups (id serial PRIMARY KEY, label text); SELECT pg_temp.done('10'); COMMIT;
BEGIN; CREATE TABLE user_groups (user_id int REFERENCES users, group_id int REFERENCES groups, PRIMARY KEY (user_id, group_id)); SELECT pg_temp.done('11'); COMMIT;
BEGIN; INSERT INTO groups (label) VALUES ('all'), ('some'); INSERT INTO user_groups SELECT id, 1 FROM users; SELECT pg_temp.done('12'); COMMIT;
BEGIN; ALTER TABLE groups RENAME TO teams; ALTER SEQUENCE groups_id_seq RENAME TO teams_id_seq; ALTER INDEX groups_pkey RENAME TO teams_pkey; SELECT pg_temp.done('13'); COMMIT;
BEGIN; ALTER TABLE user_groups RENAME TO memberships; SELECT pg_temp.done('14'); COMMIT;
BEGIN; ALTER TABLE memberships RENAME COLUMN group_id TO team_id; ALTER TABLE memberships RENAME CONSTRAINT user_groups_group_id_fkey TO memberships_team_fk; SELECT pg_temp.done('15'); COMMIT;
BEGIN; CREATE TABLE IF NOT EXISTS teams (nothing int); CREATE INDEX IF NOT EXISTS users_email ON users (email); ALTER TABLE users ADD COLUMN IF NOT EXISTS email text; SELECT pg_temp.done('16'); COMMIT;
BEGIN; DROP TABLE IF EXISTS never_there; DROP INDEX IF EXISTS never_there_either; SELECT pg_temp.done('17'); ROLLBACK;
BEGIN; CREATE TABLE forgotten (id int); SELECT pg_temp.done('18'); ROLLBACK;
BEGIN; ALTER TABLE users ADD COLUMN first_name text, ADD COLUMN last_name text; UPDATE users SET first_name = split_part(full_name, ' ', 1), last_name = split_part(full_name, ' ', 2); SELECT pg_temp.done('19'); COMMIT;
BEGIN; ALTER TABLE users ALTER COLUMN last_name SET NOT NULL; ALTER TABLE users DROP COLUMN full_name; SELECT pg_temp.done('20'); COMMIT;
BEGIN; CREATE TEMP TABLE mapping ON COMMIT DROP AS SELECT id, upper(last_name) AS code FROM users; ALTER TABLE users ADD COLUMN code text; UPDATE users u SET code = m.code FROM mapping m WHERE m.id = u.id; SELECT pg_temp.done('21'); COMMIT;
CREATE TEMP TABLE kept_temp (id int PRIMARY KEY, note text);
CREATE INDEX kept_temp_note ON kept_temp (note);
COMMENT ON TABLE kept_temp IS 'temporary';
ALTER TABLE kept_temp ADD COLUMN more int;
CREATE TEMP VIEW kept_view AS SELECT * FROM kept_temp;
CREATE VIEW implicitly_temporary AS SELECT * FROM kept_temp;
CREATE TEMP SEQUENCE kept_seq;
CREATE TYPE pg_temp.kept_type AS ENUM ('a');
GRANT SELECT ON kept_temp TO PUBLIC;
DROP TABLE kept_temp CASCADE;
BEGIN; CREATE VIEW user_names AS SELECT id, first_name || ' ' || last_name AS name FROM users; SELECT pg_temp.done('22'); COMMIT;
BEGIN; CREATE OR REPLACE VIEW user_names AS SELECT id, first_name || ' ' || last_name AS name, email FROM users; SELECT pg_temp.done('23'); COMMIT;
BEGIN; DROP VIEW user_names; ALTER TABLE users ALTER COLUMN first_name TYPE varchar(80); CREATE VIEW user_names AS SELECT id, first_name, last_name FROM users; SELECT pg_temp.done('24'); COMMIT;
BEGIN; CREATE SCHEMA crm; CREATE TABLE crm.lead (id bigserial PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, score int DEFAULT 0); SELECT pg_temp.done('25'); COMMIT;
BEGIN; ALTER TABLE crm.lead ADD CONSTRAINT score_range CHECK (score BETWEEN 0 AND 100) NOT VALID; SELECT pg_temp.done('26'); COMMIT;
BEGIN; ALTER TABLE crm.lead VALIDATE CONSTRAINT score_range; SELECT pg_temp.done('27'); COMMIT;
BEGIN; ALTER TABLE crm.lead ALTER COLUMN score TYPE numeric(5,2) USING score / 1.0; SELECT pg_temp.done('28'); COMMIT;
BEGIN; CREATE TYPE lead_state AS ENUM ('new', 'won'); ALTER TABLE crm.lead ADD COLUMN state lead_state DEFAULT 'new' NOT NULL; SELECT pg_temp.done('29'); COMMIT;
ALTER TYPE lead_state ADD VALUE 'lost';
ALTER TYPE lead_state ADD VALUE IF NOT EXISTS 'lost';
BEGIN; ALTER TYPE lead_state RENAME TO lead_status; ALTER TYPE lead_status SET SCHEMA crm; SELECT pg_temp.done('30'); COMMIT;
BEGIN; ALTER TABLE crm.lead RENAME COLUMN state TO status; SELECT pg_temp.done('31'); COMMIT;
BEGIN; CREATE TABLE crm.note (id int GENERATED ALWAYS AS IDENTITY, body text); COMMENT ON TABLE crm.note IS 'free; text'; SELECT pg_temp.done('32'); COMMIT;
BEGIN; ALTER TABLE crm.note ADD COLUMN lead_id bigint; ALTER TABLE crm.note ADD CONSTRAINT note_lead FOREIGN KEY (lead_id) REFERENCES crm.lead; SELECT pg_temp.done('33'); COMMIT;
BEGIN; ALTER TABLE crm.note DROP CONSTRAINT note_lead; ALTER TABLE crm.note ADD CONSTRAINT note_lead FOREIGN KEY (lead_id) REFERENCES crm.lead ON DELETE CASCADE; SELECT pg_temp.done('34'); COMMIT;
BEGIN; CREATE FUNCTION crm.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER touch BEFORE UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.touch(); SELECT pg_temp.done('35'); COMMIT;
BEGIN; CREATE OR REPLACE FUNCTION crm.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.score := NEW.score; RETURN NEW; END'; SELECT pg_temp.done('36'); COMMIT;
BEGIN; DROP TRIGGER touch ON crm.lead; DROP FUNCTION crm.touch(); SELECT pg_temp.done('37'); COMMIT;
BEGIN; CREATE MATERIALIZED VIEW crm.board AS SELECT status, count(*) FROM crm.lead GROUP BY 1; CREATE UNIQUE INDEX ON crm.board (status); SELECT pg_temp.done('38'); COMMIT;
REFRESH MATERIALIZED VIEW CONCURRENTLY crm.board;
BEGIN; DROP MATERIALIZED VIEW crm.board; SELECT pg_temp.done('39'); COMMIT;
BEGIN; CREATE TABLE outbox (id bigserial, payload json); ALTER TABLE outbox ALTER COLUMN payload TYPE jsonb USING payload::jsonb; SELECT pg_temp.done('40'); COMMIT;
BEGIN; ALTER TABLE outbox ADD PRIMARY KEY (id); ALTER TABLE outbox SET UNLOGGED; SELECT pg_temp.done('41'); COMMIT;
BEGIN; ALTER TABLE outbox SET LOGGED; ALTER TABLE outbox SET (fillfactor = 90); ALTER TABLE outbox RESET (fillfactor); SELECT pg_temp.done('42'); COMMIT;
\set ON_ERROR_STOP off
BEGIN; CREATE TABLE half (id int); ALTER TABLE half ADD COLUMN id int; SELECT pg_temp.done('43'); COMMIT;
BEGIN; CREATE TABLE half (id int); SAVEPOINT s; ALTER TABLE half ADD COLUMN id int; ROLLBACK TO s; ALTER TABLE half ADD COLUMN other int; COMMIT;
CREATE TABLE users (again int);
DROP TABLE users;
ALTER TABLE half ADD COLUMN third int, ADD COLUMN other text;
BEGIN; CREATE TABLE lost_by_error (id int); SELECT 1/0; CREATE TABLE never_reached (id int); ROLLBACK;
BEGIN; ALTER TABLE half RENAME TO whole; SELECT * FROM half; COMMIT;
\set ON_ERROR_STOP on
BEGIN; ALTER TABLE half RENAME TO whole; COMMIT;
BEGIN; SAVEPOINT a; CREATE TABLE sp_a (id int); SAVEPOINT b; CREATE TABLE sp_b (id int); ROLLBACK TO b; CREATE TABLE sp_c (id int); RELEASE a; COMMIT;
BEGIN; SAVEPOINT a; CREATE TABLE sp_d (id int); SAVEPOINT a; CREATE TABLE sp_e (id int); ROLLBACK TO a; RELEASE a; ROLLBACK TO a; CREATE TABLE sp_f (id int); COMMIT AND CHAIN; CREATE TABLE sp_g (id int); ROLLBACK AND CHAIN; CREATE TABLE sp_h (id int); COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE; DROP TABLE sp_a, sp_c; COMMIT;
START TRANSACTION; CREATE TABLE ended (id int); END;
BEGIN; CREATE TABLE aborted (id int); ABORT;

-- Rails: schema_migrations, double quotes, bigserial keys, indexes apart.
CREATE TABLE "schema_migrations" ("version" character varying NOT NULL PRIMARY KEY);
CREATE TABLE "ar_internal_metadata" ("key" character varying NOT NULL PRIMARY KEY, "value" character varying, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
BEGIN; CREATE TABLE "accounts" ("id" bigserial primary key, "name" character varying, "plan" integer DEFAULT 0 NOT NULL, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL); INSERT INTO "schema_migrations" ("version") VALUES ('20210101000001') RETURNING "version"; COMMIT;
BEGIN; CREATE TABLE "posts" ("id" bigserial primary key, "account_id" bigint NOT NULL, "title" character varying, "body" text, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL, CONSTRAINT "fk_rails_0001" FOREIGN KEY ("account_id") REFERENCES "accounts" ("id")); CREATE INDEX "index_posts_on_account_id" ON "posts" ("account_id"); INSERT INTO "schema_migrations" VALUES ('20210101000002'); COMMIT;
BEGIN; ALTER TABLE "posts" ADD "published" boolean DEFAULT FALSE NOT NULL; INSERT INTO "schema_migrations" VALUES ('20210101000003'); COMMIT;
BEGIN; ALTER TABLE "posts" ADD "slug" character varying; CREATE UNIQUE INDEX "index_posts_on_slug" ON "posts" ("slug"); INSERT INTO "schema_migrations" VALUES ('20210101000004'); COMMIT;
BEGIN; ALTER TABLE "posts" RENAME COLUMN "body" TO "content"; INSERT INTO "schema_migrations" VALUES ('20210101000005'); COMMIT;
BEGIN; ALTER TABLE "posts" ALTER COLUMN "title" SET NOT NULL; ALTER TABLE "posts" ALTER COLUMN "title" TYPE character varying(200); INSERT INTO "schema_migrations" VALUES ('20210101000006'); COMMIT;
BEGIN; CREATE TABLE "tags" ("id" bigserial primary key, "name" character varying NOT NULL); CREATE TABLE "posts_tags" ("post_id" bigint NOT NULL, "tag_id" bigint NOT NULL); CREATE INDEX "index_posts_tags" ON "posts_tags" ("post_id", "tag_id"); INSERT INTO "schema_migrations" VALUES ('20210101000007'); COMMIT;
BEGIN; ALTER TABLE "posts_tags" ADD CONSTRAINT "fk_rails_0002" FOREIGN KEY ("post_id") REFERENCES "posts" ("id") ON DELETE CASCADE; ALTER TABLE "posts_tags" ADD CONSTRAINT "fk_rails_0003" FOREIGN KEY ("tag_id") REFERENCES "tags" ("id"); COMMIT;
BEGIN; DROP INDEX "index_posts_tags"; CREATE UNIQUE INDEX "index_posts_tags_unique" ON "posts_tags" ("post_id", "tag_id"); COMMIT;
BEGIN; ALTER TABLE "accounts" ADD "settings" jsonb DEFAULT '{}' NOT NULL; CREATE INDEX "index_accounts_on_settings" ON "accounts" USING gin ("settings"); COMMIT;
BEGIN; ALTER TABLE "accounts" ALTER COLUMN "plan" DROP DEFAULT; ALTER TABLE "accounts" ALTER COLUMN "plan" TYPE varchar USING CASE "plan" WHEN 0 THEN 'free' ELSE 'paid; full' END; ALTER TABLE "accounts" ALTER COLUMN "plan" SET DEFAULT 'free'; COMMIT;
BEGIN; CREATE TABLE "active_storage_blobs" ("id" bigserial primary key, "key" character varying NOT NULL, "filename" character varying NOT NULL, "metadata" text, "byte_size" bigint NOT NULL, "checksum" character varying); CREATE UNIQUE INDEX "index_active_storage_blobs_on_key" ON "active_storage_blobs" ("key"); COMMIT;
BEGIN; CREATE TABLE "active_storage_attachments" ("id" bigserial primary key, "name" character varying NOT NULL, "record_type" character varying NOT NULL, "record_id" bigint NOT NULL, "blob_id" bigint NOT NULL, CONSTRAINT "fk_rails_c3b3935057" FOREIGN KEY ("blob_id") REFERENCES "active_storage_blobs" ("id")); COMMIT;
BEGIN; ALTER TABLE "active_storage_blobs" ADD "service_name" character varying; UPDATE "active_storage_blobs" SET "service_name" = 'local'; ALTER TABLE "active_storage_blobs" ALTER COLUMN "service_name" SET NOT NULL; COMMIT;
BEGIN; CREATE TABLE "versions" ("id" bigserial primary key, "item_type" varchar, "item_id" bigint, "event" varchar NOT NULL, "object" text); CREATE INDEX "index_versions_on_item_type_and_item_id" ON "versions" ("item_type", "item_id"); COMMIT;
BEGIN; ALTER TABLE "versions" ALTER COLUMN "item_type" SET DEFAULT 'Post'; ALTER TABLE "versions" ALTER COLUMN "item_type" SET DEFAULT NULL; COMMIT;
BEGIN; COMMENT ON TABLE "versions" IS 'paper; trail'; COMMENT ON COLUMN "versions"."event" IS 'create, update'; COMMIT;
BEGIN; COMMENT ON COLUMN "versions"."event" IS NULL; COMMIT;
BEGIN; ALTER TABLE "posts" ADD "author_id" bigint; ALTER TABLE "posts" ADD CONSTRAINT "fk_rails_0004" FOREIGN KEY ("author_id") REFERENCES "users" ("id") NOT VALID; COMMIT;
BEGIN; ALTER TABLE "posts" VALIDATE CONSTRAINT "fk_rails_0004"; COMMIT;
BEGIN; ALTER TABLE "posts" DROP COLUMN "published"; COMMIT;
BEGIN; ALTER TABLE "posts" ADD "state" integer DEFAULT 0; ALTER TABLE "posts" ADD CONSTRAINT "chk_state" CHECK (state >= 0); COMMIT;
BEGIN; ALTER TABLE "posts" DROP CONSTRAINT "chk_state"; COMMIT;
BEGIN; CREATE TABLE "flipper_features" ("id" bigserial primary key, "key" varchar NOT NULL); COMMIT;
BEGIN; ALTER TABLE "flipper_features" RENAME TO "features"; ALTER INDEX "flipper_features_pkey" RENAME TO "features_pkey"; ALTER TABLE "flipper_features_id_seq" RENAME TO "features_id_seq"; COMMIT;
BEGIN; CREATE TABLE "jobs" ("id" uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, "queue" varchar, "args" jsonb, "run_at" timestamp(6)) ; CREATE INDEX "index_jobs" ON "jobs" ("run_at") WHERE ("queue" IS NOT NULL); COMMIT;
CREATE INDEX CONCURRENTLY "index_jobs_on_queue" ON "jobs" ("queue");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "index_jobs_on_queue" ON "jobs" ("queue");
DROP INDEX CONCURRENTLY "index_jobs";
DROP INDEX CONCURRENTLY IF EXISTS "index_jobs";
\set ON_ERROR_STOP off
INSERT INTO jobs (queue) VALUES ('same'), ('same');
CREATE UNIQUE INDEX CONCURRENTLY "index_jobs_broken" ON "jobs" ("queue");
\set ON_ERROR_STOP on
DROP INDEX "index_jobs_broken";
BEGIN; SET LOCAL lock_timeout = '5s'; ALTER TABLE "jobs" ADD "priority" integer DEFAULT 0, ADD "locked_by" varchar; COMMIT;
BEGIN; CREATE EXTENSION IF NOT EXISTS "pgcrypto"; CREATE EXTENSION IF NOT EXISTS "plpgsql"; COMMIT;
BEGIN; CREATE EXTENSION IF NOT EXISTS "pgcrypto"; COMMIT;
BEGIN; CREATE EXTENSION "citext"; ALTER TABLE "users" ALTER COLUMN "email" TYPE citext; COMMIT;
BEGIN; ALTER TABLE "users" ADD "encrypted_password" varchar DEFAULT '' NOT NULL, ADD "reset_token" varchar, ADD "sign_in_count" integer DEFAULT 0 NOT NULL; CREATE UNIQUE INDEX "index_users_on_reset_token" ON "users" ("reset_token"); COMMIT;
BEGIN; ALTER TABLE "users" ADD "lower_email" text GENERATED ALWAYS AS (lower(email::text)) STORED; COMMIT;
BEGIN; ALTER TABLE "users" DROP COLUMN "sign_in_count", DROP COLUMN "reset_token"; COMMIT;
BEGIN; ALTER TABLE "memberships" DROP CONSTRAINT "user_groups_pkey"; ALTER TABLE "memberships" ADD "id" bigserial PRIMARY KEY; COMMIT;
BEGIN; CREATE TABLE "invoices" ("id" bigserial primary key, "amount" decimal(10,2), "currency" char(3) DEFAULT 'EUR'); COMMIT;
BEGIN; ALTER TABLE "invoices" ADD "amount_cents" integer; UPDATE "invoices" SET "amount_cents" = "amount" * 100; ALTER TABLE "invoices" DROP COLUMN "amount"; COMMIT;
BEGIN; ALTER TABLE "invoices" ALTER COLUMN "amount_cents" TYPE bigint; ALTER TABLE "invoices" ALTER COLUMN "id" TYPE bigint; COMMIT;
BEGIN; ALTER SEQUENCE "invoices_id_seq" START WITH 1000 RESTART; COMMIT;
BEGIN; ALTER TABLE "invoices" ADD "period" daterange, ADD "paid_at" timestamp with time zone; COMMIT;
BEGIN; CREATE FUNCTION invoices_guard() RETURNS trigger AS $$ BEGIN IF NEW.amount_cents < 0 THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END; $$ LANGUAGE plpgsql; CREATE TRIGGER guard BEFORE INSERT ON invoices FOR EACH ROW EXECUTE PROCEDURE invoices_guard(); COMMIT;
BEGIN; ALTER TABLE "invoices" DISABLE TRIGGER ALL; ROLLBACK;
BEGIN; ALTER TABLE "invoices" DISABLE TRIGGER guard; COMMIT;
BEGIN; ALTER TABLE "invoices" ENABLE TRIGGER guard; COMMIT;

-- Django: statements after one another, constraints named with a hash, deferred.
BEGIN; CREATE TABLE "django_migrations" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" timestamp with time zone NOT NULL); COMMIT;
BEGIN; CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(100) NOT NULL, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL); ALTER TABLE "django_content_type" ADD CONSTRAINT "django_content_type_app_label_model_76bd3d3b_uniq" UNIQUE ("app_label", "model"); COMMIT;
BEGIN; CREATE TABLE "auth_permission" ("id" integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(50) NOT NULL, "content_type_id" integer NOT NULL, "codename" varchar(100) NOT NULL); ALTER TABLE "auth_permission" ADD CONSTRAINT "auth_permission_content_type_id_2f476e4b_fk_django_co" FOREIGN KEY ("content_type_id") REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED; CREATE INDEX "auth_permission_content_type_id_2f476e4b" ON "auth_permission" ("content_type_id"); COMMIT;
BEGIN; ALTER TABLE "auth_permission" ALTER COLUMN "name" TYPE varchar(255) USING "name"::varchar(255); COMMIT;
BEGIN; ALTER TABLE "django_content_type" ALTER COLUMN "name" DROP NOT NULL; COMMIT;
BEGIN; ALTER TABLE "django_content_type" DROP COLUMN "name" CASCADE; COMMIT;
BEGIN; CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(80) NOT NULL UNIQUE); CREATE INDEX "auth_group_name_a6ea08ec_like" ON "auth_group" ("name" varchar_pattern_ops); COMMIT;
BEGIN; ALTER TABLE "auth_group" ALTER COLUMN "name" TYPE varchar(150); COMMIT;
BEGIN; CREATE TABLE "shop_product" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(200) NOT NULL, "price" numeric(8, 2) NOT NULL CONSTRAINT "shop_product_price_check" CHECK ("price" >= 0), "tags" varchar(20)[] NOT NULL, "data" jsonb NOT NULL); COMMIT;
BEGIN; ALTER TABLE "shop_product" ADD COLUMN "stock" integer DEFAULT 0 NOT NULL CHECK ("stock" >= 0); ALTER TABLE "shop_product" ALTER COLUMN "stock" DROP DEFAULT; COMMIT;
BEGIN; ALTER TABLE "shop_product" RENAME COLUMN "name" TO "title"; COMMIT;
BEGIN; CREATE INDEX "shop_title_idx" ON "shop_product" ("title" DESC, "price"); COMMIT;
BEGIN; CREATE INDEX "shop_upper_idx" ON "shop_product" ((UPPER("title"))) WHERE "stock" > 0; COMMIT;
BEGIN; CREATE TABLE "shop_order" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "placed" timestamp with time zone NOT NULL, "total" numeric(10, 2) NOT NULL); COMMIT;
BEGIN; CREATE TABLE "shop_order_products" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "order_id" bigint NOT NULL, "product_id" bigint NOT NULL); ALTER TABLE "shop_order_products" ADD CONSTRAINT "shop_order_products_order_id_fk" FOREIGN KEY ("order_id") REFERENCES "shop_order" ("id") DEFERRABLE INITIALLY DEFERRED; ALTER TABLE "shop_order_products" ADD CONSTRAINT "shop_order_products_product_id_fk" FOREIGN KEY ("product_id") REFERENCES "shop_product" ("id") DEFERRABLE INITIALLY DEFERRED; COMMIT;
BEGIN; SET CONSTRAINTS "shop_order_products_order_id_fk" IMMEDIATE; ALTER TABLE "shop_order_products" DROP CONSTRAINT "shop_order_products_order_id_fk"; ALTER TABLE "shop_order_products" ADD CONSTRAINT "shop_order_products_order_id_fk2" FOREIGN KEY ("order_id") REFERENCES "shop_order" ("id") DEFERRABLE INITIALLY DEFERRED; COMMIT;
BEGIN; ALTER TABLE "shop_order" ADD COLUMN "customer_id" integer DEFAULT 1 NULL CONSTRAINT "shop_order_customer_fk" REFERENCES "users"("id") DEFERRABLE INITIALLY DEFERRED; SET CONSTRAINTS "shop_order_customer_fk" IMMEDIATE; ALTER TABLE "shop_order" ALTER COLUMN "customer_id" DROP DEFAULT; COMMIT;
BEGIN; ALTER TABLE "shop_product" ADD COLUMN "search" tsvector NULL; CREATE INDEX "shop_search_idx" ON "shop_product" USING gin ("search"); COMMIT;
BEGIN; CREATE EXTENSION IF NOT EXISTS "btree_gist"; CREATE TABLE "shop_booking" ("id" bigint PRIMARY KEY, "room" integer, "span" tstzrange NOT NULL); ALTER TABLE "shop_booking" ADD CONSTRAINT "exclude_overlapping" EXCLUDE USING GIST ("span" WITH &&, "room" WITH =); COMMIT;
BEGIN; ALTER TABLE "shop_booking" DROP CONSTRAINT "exclude_overlapping"; COMMIT;
BEGIN; ALTER TABLE "shop_booking" ADD CONSTRAINT "exclude_overlapping" EXCLUDE USING GIST ("room" WITH =, "span" WITH &&) DEFERRABLE; COMMIT;
BEGIN; CREATE TABLE "new__shop_order" (LIKE "shop_order" INCLUDING ALL); INSERT INTO "new__shop_order" SELECT * FROM "shop_order"; DROP TABLE "shop_order" CASCADE; ALTER TABLE "new__shop_order" RENAME TO "shop_order"; COMMIT;
BEGIN; DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'size') THEN CREATE TYPE size AS ENUM ('s', 'm'); END IF; END $$; COMMIT;
BEGIN; DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'size') THEN CREATE TYPE size AS ENUM ('s', 'm'); END IF; END $$; COMMIT;
DO $$ BEGIN CREATE TYPE size AS ENUM ('xl'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;
BEGIN; ALTER TABLE "shop_product" ADD COLUMN "size" size; COMMIT;
BEGIN; CREATE TYPE size_new AS ENUM ('small', 'medium'); ALTER TABLE "shop_product" ALTER COLUMN "size" TYPE size_new USING (CASE "size"::text WHEN 's' THEN 'small' ELSE 'medium' END)::size_new; DROP TYPE size; ALTER TYPE size_new RENAME TO size; COMMIT;
BEGIN; CREATE TABLE "logs" ("at" timestamptz NOT NULL, "line" text) PARTITION BY RANGE ("at"); COMMIT;
BEGIN; DO $$ BEGIN FOR m IN 1..6 LOOP EXECUTE format('CREATE TABLE logs_%s PARTITION OF logs FOR VALUES FROM (%L) TO (%L)', m, make_date(2024, m, 1), make_date(2024, m + 1, 1)); END LOOP; END $$; COMMIT;
BEGIN; ALTER TABLE "logs" DETACH PARTITION "logs_1"; DROP TABLE "logs_1"; COMMIT;
ALTER TABLE "logs" DETACH PARTITION "logs_2" CONCURRENTLY;
BEGIN; DROP TABLE "logs_2"; COMMIT;
BEGIN; CREATE INDEX "logs_at" ON "logs" ("at"); ALTER TABLE "logs" ADD COLUMN "level" smallint DEFAULT 3; COMMIT;
BEGIN; CREATE SCHEMA "reporting"; CREATE VIEW "reporting"."sales" AS SELECT date_trunc('day', placed) AS day, sum(total) FROM shop_order GROUP BY 1; COMMIT;
BEGIN; ALTER SCHEMA "reporting" RENAME TO "bi"; COMMIT;
BEGIN; ALTER VIEW "bi"."sales" RENAME TO "daily"; ALTER VIEW "bi"."daily" RENAME COLUMN "sum" TO "total"; COMMIT;
BEGIN; GRANT USAGE ON SCHEMA "bi" TO PUBLIC; GRANT SELECT ON "bi"."daily" TO PUBLIC; COMMIT;
BEGIN; REVOKE SELECT ON "bi"."daily" FROM PUBLIC; REVOKE SELECT ON "bi"."daily" FROM PUBLIC; COMMIT;
BEGIN; DROP SCHEMA "crm" CASCADE; COMMIT;
BEGIN; CREATE RULE "protect" AS ON DELETE TO "jobs" DO INSTEAD NOTHING; COMMIT;
BEGIN; DROP RULE "protect" ON "jobs"; COMMIT;
BEGIN; ALTER TABLE "features" ADD CONSTRAINT "features_key" UNIQUE ("key"); ALTER TABLE "features" DROP CONSTRAINT "features_key"; COMMIT;
BEGIN; CREATE UNIQUE INDEX "features_key_idx" ON "features" ("key"); ALTER TABLE "features" ADD CONSTRAINT "features_key" UNIQUE USING INDEX "features_key_idx"; COMMIT;
BEGIN; ALTER TABLE "features" REPLICA IDENTITY USING INDEX "features_key"; COMMIT;
BEGIN; ALTER TABLE "features" REPLICA IDENTITY NOTHING; ALTER TABLE "features" ALTER COLUMN "key" SET STATISTICS 200; COMMIT;
BEGIN; CREATE STATISTICS "jobs_stat" ON "queue", "priority" FROM "jobs"; DROP STATISTICS "jobs_stat"; COMMIT;
BEGIN; TRUNCATE "outbox" RESTART IDENTITY; ANALYZE "jobs"; COMMIT;
BEGIN; CREATE TABLE "with_everything_on_one_line" (a int); ALTER TABLE "with_everything_on_one_line" ADD b int; ALTER TABLE "with_everything_on_one_line" RENAME TO "short"; ALTER TABLE "short" RENAME a TO c; ALTER TABLE "short" DROP b; COMMIT;
-- Several statements in one message are one transaction.
CREATE TABLE one_message_a (id int)\; CREATE TABLE one_message_b (id int)\; ALTER TABLE one_message_a ADD b int;
\set ON_ERROR_STOP off
CREATE TABLE one_message_c (id int)\; SELECT 1/0;
CREATE TABLE one_message_d (id int)\; COMMIT\; CREATE TABLE one_message_e (id int)\; SELECT 1/0;
\set ON_ERROR_STOP on
BEGIN\; CREATE TABLE one_message_f (id int)\; COMMIT\; BEGIN\; CREATE TABLE one_message_g (id int)\; ROLLBACK;
CREATE TABLE one_message_h AS SELECT 1 AS a\; CREATE INDEX ON one_message_h (a)\; DROP TABLE one_message_b;
-- The same text twice, with different effect.
SET search_path = bi;
CREATE TABLE same (id int);
SET search_path = public;
CREATE TABLE same (id int);
