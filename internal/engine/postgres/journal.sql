-- The journal of schema changes: event triggers write one row for each change,
-- in the transaction that makes it, so that a row commits or rolls back with
-- its change. Schema pg_tenantsdb has the reserved prefix and the triggers are
-- members of plpgsql, so neither pg_dump nor psql's \d shows any of it.
--
-- The triggers' functions run as superuser on a client's session, so each has
-- its own search_path, and what they call runs under it. Only on_end must see the
-- client's: every name in it is qualified. Its context is read in English. No
-- text below depends on standard_conforming_strings.

CREATE SCHEMA IF NOT EXISTS pg_tenantsdb;

CREATE TABLE IF NOT EXISTS pg_tenantsdb.version (number integer PRIMARY KEY);

CREATE TABLE IF NOT EXISTS pg_tenantsdb.secret (value bytea NOT NULL);

INSERT INTO pg_tenantsdb.secret
SELECT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
 WHERE NOT EXISTS (SELECT FROM pg_tenantsdb.secret);

-- next_id grows with each call on the server: it is the end of a record in the
-- write-ahead log. A sequence would change what the client's lastval() says, and
-- show in pg_sequences.
CREATE OR REPLACE FUNCTION pg_tenantsdb.next_id() RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT (pg_logical_emit_message(true, 'tenantsdb', '') - '0/0'::pg_lsn)::bigint;
$$;

-- Client messages and the contexts of nested statements, each once for a
-- transaction, however many rows share it.
CREATE TABLE IF NOT EXISTS pg_tenantsdb.body (
	id   bigint PRIMARY KEY DEFAULT pg_tenantsdb.next_id(),
	xid  xid8 NOT NULL,
	sent timestamptz NOT NULL, -- statement_timestamp() of the message
	hash bigint NOT NULL,
	text text NOT NULL
);
CREATE INDEX IF NOT EXISTS body_find ON pg_tenantsdb.body (xid, sent, hash);

CREATE TABLE IF NOT EXISTS pg_tenantsdb.journal (
	id        bigint PRIMARY KEY DEFAULT pg_tenantsdb.next_id(),
	xid       xid8 NOT NULL,
	pid       integer NOT NULL,
	message   bigint NOT NULL, -- body of the client's message
	context   bigint,          -- body of the context; NULL at top level
	ordinal   integer NOT NULL,
	tag       text NOT NULL,
	created   boolean NOT NULL, -- a new function, relation, rule or trigger, not a replaced one
	objects   jsonb NOT NULL,
	dropped   jsonb NOT NULL,
	sources   jsonb NOT NULL,  -- bodies of the SQL functions that the context may mean
	temporary text[] NOT NULL, -- names of temporary relations, where the command may name one
	structure text,            -- what makes the table once more that CREATE TABLE AS, or CREATE TABLE with LIKE, made; or an index; or the names of a table's own
	settings  jsonb NOT NULL,
	source    text NOT NULL,
	at        timestamptz NOT NULL,
	reverts   bigint NOT NULL,
	began     xid8,            -- the first transaction of CREATE INDEX CONCURRENTLY
	seen      pg_snapshot NOT NULL -- what had committed when the command ended
);
CREATE INDEX IF NOT EXISTS journal_message ON pg_tenantsdb.journal (message);
CREATE INDEX IF NOT EXISTS journal_context ON pg_tenantsdb.journal (context);
CREATE INDEX IF NOT EXISTS journal_began ON pg_tenantsdb.journal (id) WHERE began IS NOT NULL;

-- Dropped objects on their way from sql_drop to ddl_command_end.
CREATE UNLOGGED TABLE IF NOT EXISTS pg_tenantsdb.dropped (
	pid     integer PRIMARY KEY,
	objects jsonb NOT NULL
);

-- CREATE INDEX CONCURRENTLY gives up its lock on the table just before
-- ddl_command_end. A change of the table that waited for the lock may then get
-- its row, and commit, before the index has its own. A row here, from the
-- index's first transaction to its last, tells readers to wait for it; began
-- and seen tell them which came first.
CREATE TABLE IF NOT EXISTS pg_tenantsdb.building (
	pid  integer PRIMARY KEY,
	sent timestamptz NOT NULL, -- statement_timestamp() of the command
	xid  xid8 NOT NULL
);

-- Indexes that a failed CREATE INDEX CONCURRENTLY left behind, by name, since
-- REINDEX CONCURRENTLY puts another one in their place. One that is valid later
-- was revived, of which the server tells nobody.
CREATE TABLE IF NOT EXISTS pg_tenantsdb.broken_index (
	schema name NOT NULL,
	name   name NOT NULL,
	PRIMARY KEY (schema, name)
);

-- The state of one client message lives in a setting, since a row would need a
-- transaction id, with which DROP INDEX CONCURRENTLY refuses to start. Clients
-- can write settings, so it is sealed. Its parts: 1 the message's time, 2 the
-- top-level commands that ended, 3 the hash of the last context and 4 how many
-- commands ended in it, 5 the commands that run, innermost last, each as
-- writes:inserts:extension:broken, where broken are indexes or, of a DROP STATISTICS,
-- those on temporary tables, 6 what the innermost one dropped (t temporary and
-- broken objects only, p others too), 7 the seal.
CREATE OR REPLACE FUNCTION pg_tenantsdb.seal(parts text[]) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT encode(sha256(array_to_string(parts[1:6], '|')::bytea || value
	               || int4send(pg_backend_pid())), 'hex')
	          FROM pg_tenantsdb.secret);
END $$;

CREATE OR REPLACE FUNCTION pg_tenantsdb.state() RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
	parts text[] := string_to_array(current_setting('pg_tenantsdb.state', true), '|');
	sent  text := (extract(epoch FROM statement_timestamp()) * 1000000)::bigint;
BEGIN
	IF cardinality(parts) = 7 AND parts[1] = sent AND parts[7] = pg_tenantsdb.seal(parts) THEN
		RETURN parts;
	END IF;
	RETURN ARRAY[sent, '0', '', '0', '', '', ''];
END $$;

-- remember keeps the state beyond the transaction, for a message with a COMMIT
-- inside and for CREATE INDEX CONCURRENTLY, which is several transactions.
CREATE OR REPLACE FUNCTION pg_tenantsdb.remember(parts text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	parts[7] := pg_tenantsdb.seal(parts);
	PERFORM set_config('pg_tenantsdb.state', array_to_string(parts, '|'), false);
END $$;

-- writes counts the tuples that this session wrote to the catalogs that hold
-- schema (their OIDs are fixed), and how many of them were new functions,
-- relations, rules or triggers. A command that leaves the first as it was
-- changed nothing.
CREATE OR REPLACE FUNCTION pg_tenantsdb.writes(OUT total bigint, OUT inserts bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	SELECT sum(i + pg_stat_get_xact_tuples_updated(c) + pg_stat_get_xact_tuples_deleted(c)),
	       sum(i) FILTER (WHERE c IN (1255, 1259, 2618, 2620))
	  INTO total, inserts
	  FROM unnest('{826,1214,1247,1249,1255,1259,1417,1418,2224,2328,2396,2600,2601,2602,2603,2604,2605,2606,
	              2607,2608,2609,2610,2611,2612,2615,2616,2617,2618,2620,2753,3079,3118,3256,3350,3381,3394,
	              3456,3501,3541,3576,3596,3600,3601,3602,3603,3764,6104,6106,6237}'::oid[]) c, pg_stat_get_xact_tuples_inserted(c) i;
END $$;

-- broken lists the indexes that a failed or cancelled CREATE INDEX or REINDEX
-- CONCURRENTLY left behind. The failure made no record and no dump has them, so
-- what becomes of them makes no record either. One that another session is
-- still building, with its lock on the table, is none.
CREATE OR REPLACE FUNCTION pg_tenantsdb.broken() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT string_agg(i.indexrelid::text, '.')
	          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
	         WHERE NOT i.indisvalid AND c.relkind = 'i'
	           AND NOT EXISTS (SELECT FROM pg_locks l
	                            WHERE l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
	                              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	                              AND l.pid <> pg_backend_pid()));
END $$;

-- passes says whether a relation is a temporary one. Statistics on it are in a
-- schema like others, and go with it.
CREATE OR REPLACE FUNCTION pg_tenantsdb.passes(relation oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT relpersistence = 't' FROM pg_class WHERE oid = relation
$$;

-- note_revived notes an index, if it is still there, as made now.
CREATE OR REPLACE FUNCTION pg_tenantsdb.note_revived(index oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
BEGIN
	PERFORM pg_tenantsdb.note(pg_tenantsdb.next_id(), 'CREATE INDEX', '', 0, true, jsonb_build_array(jsonb_build_object(
	          'tag', 'CREATE INDEX', 'type', 'index', 'schema', i.schema, 'identity', i.identity,
	          'names', to_jsonb(a.object_names), 'args', to_jsonb(a.object_args), 'temporary', false)),
	        '[]', '[]', '{}', pg_get_indexdef(index), NULL, NULL)
	   FROM pg_identify_object(1259, index, 0) i, pg_identify_object_as_address(1259, index, 0) a
	  WHERE index IS NOT NULL;
END $$;

-- revived notes the broken indexes that are valid now, and forgets those that are
-- gone. What follows in the transaction may be about them. It says whether there
-- were any.
CREATE OR REPLACE FUNCTION pg_tenantsdb.revived() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	revived record;
	noted   boolean := false;
BEGIN
	FOR revived IN
		DELETE FROM pg_tenantsdb.broken_index b
		 WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indexrelid = c.oid
		                    WHERE n.nspname = b.schema AND c.relname = b.name AND NOT i.indisvalid)
		RETURNING b.schema, (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indexrelid = c.oid
		                      WHERE n.nspname = b.schema AND c.relname = b.name) AS id
	LOOP
		PERFORM pg_tenantsdb.note_revived(revived.id);
		noted := noted OR revived.id IS NOT NULL;
	END LOOP;
	RETURN noted;
END $$;

-- settle forgets a CREATE INDEX CONCURRENTLY that failed. What it left behind goes
-- on the list of broken indexes, or is noted where it was revived before anybody
-- could look: its first column has the tuple that the failed command's first
-- transaction wrote. It says whether there was any to note.
CREATE OR REPLACE FUNCTION pg_tenantsdb.settle(failed integer, began timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	first xid8;
	made  record;
	noted boolean := false;
BEGIN
	DELETE FROM pg_tenantsdb.building WHERE pid = failed AND sent = began RETURNING xid INTO first;
	FOR made IN
		SELECT c.oid, n.nspname, c.relname, i.indisvalid
		  FROM pg_attribute a JOIN pg_index i ON i.indexrelid = a.attrelid
		  JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE a.attnum = 1 AND a.xmin = first::xid AND c.relpersistence <> 't'
		   AND NOT EXISTS (SELECT FROM pg_tenantsdb.broken_index k WHERE k.schema = n.nspname AND k.name = c.relname)
	LOOP
		IF made.indisvalid THEN
			PERFORM pg_tenantsdb.note_revived(made.oid);
			noted := true;
		ELSE
			INSERT INTO pg_tenantsdb.broken_index VALUES (made.nspname, made.relname) ON CONFLICT DO NOTHING;
		END IF;
	END LOOP;
	RETURN noted;
END $$;

-- look is the reader's: it takes down the broken indexes, but not those that may
-- be one's that is just done, and notes those that were revived. It says whether
-- there were any of these. A session that builds has the lock that keeps its index
-- from broken, but for its last moment; so it is looked for after broken was. A
-- name that a transaction is taking off the list is still on it, and not waited
-- for.
CREATE OR REPLACE FUNCTION pg_tenantsdb.look() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	noted  boolean := pg_tenantsdb.revived();
	broken text[] := string_to_array(pg_tenantsdb.broken(), '.');
BEGIN
	INSERT INTO pg_tenantsdb.broken_index
	SELECT n.nspname, c.relname
	  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	 WHERE NOT i.indisvalid AND c.relpersistence <> 't'
	   AND c.oid::text = ANY (broken)
	   AND NOT EXISTS (SELECT FROM pg_tenantsdb.broken_index k WHERE k.schema = n.nspname AND k.name = c.relname)
	   AND NOT EXISTS (SELECT FROM pg_tenantsdb.building b
	                    WHERE NOT EXISTS (SELECT FROM pg_locks l
	                                       WHERE l.pid = b.pid AND l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
	                                         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())))
	ON CONFLICT DO NOTHING;
	RETURN noted;
END $$;

CREATE OR REPLACE FUNCTION pg_tenantsdb.on_start() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parts text[] := pg_tenantsdb.state();
	w     record := pg_tenantsdb.writes();
BEGIN
	-- A reader owns nothing, but a GRANT of what it may not grant is a warning and
	-- no error, and so is not to get as far as the queue.
	IF NOT pg_has_role(session_user, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
		RAISE EXCEPTION USING MESSAGE = 'permission denied: this login may only read', ERRCODE = 'insufficient_privilege';
	END IF;
	IF tg_tag = 'REINDEX' THEN
		RETURN; -- changes no schema; PostgreSQL before 17 fires no trigger for it
	END IF;
	-- These look names up in what the session remembers, without a lock, and in a
	-- transaction may find a table by the name that it had before another's commit.
	-- To lock a relation for a moment is to hear of such commits.
	IF tg_tag IN ('GRANT', 'REVOKE') THEN
		PERFORM pg_relation_size('pg_tenantsdb.version');
	END IF;
	parts[5] := concat_ws(',', nullif(parts[5], ''), concat_ws(':', w.total, w.inserts,
	            (tg_tag IN ('CREATE EXTENSION', 'ALTER EXTENSION'))::int,
	            CASE tg_tag WHEN 'DROP INDEX' THEN concat_ws('.', pg_tenantsdb.broken(),
	              (SELECT string_agg(c.oid::text, '.') FROM pg_tenantsdb.broken_index b
	                 JOIN pg_namespace n ON n.nspname = b.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = b.name))
	              WHEN 'DROP STATISTICS' THEN (SELECT string_agg(s.oid::text, '.') FROM pg_statistic_ext s WHERE pg_tenantsdb.passes(s.stxrelid)) END));
	parts[6] := '';
	PERFORM pg_tenantsdb.remember(parts);
	-- DROP INDEX CONCURRENTLY may not have written anything; one that was revived
	-- and not noted yet is dropped as if it still were broken.
	IF tg_tag <> 'DROP INDEX' THEN
		PERFORM pg_tenantsdb.revived();
	END IF;
	IF tg_tag = 'CREATE INDEX' AND current_query() ILIKE '%concurrently%' THEN
		PERFORM pg_tenantsdb.settle(b.pid, b.sent) FROM pg_tenantsdb.building b WHERE b.pid = pg_backend_pid();
		INSERT INTO pg_tenantsdb.building VALUES (pg_backend_pid(), statement_timestamp(), pg_current_xact_id())
		ON CONFLICT (pid) DO UPDATE SET sent = excluded.sent, xid = excluded.xid;
		-- The proxy is told now, so that it looks also when the command fails.
		RAISE INFO USING MESSAGE = 'schema changes', ERRCODE = 'TDB01';
	END IF;
END $$;

CREATE OR REPLACE FUNCTION pg_tenantsdb.on_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
DECLARE
	parts  text[] := pg_tenantsdb.state();
	broken text[] := string_to_array(split_part(split_part(parts[5], ',', -1), ':', 4), '.');
	list   jsonb;
	kept   boolean;
BEGIN
	SELECT coalesce(jsonb_agg(jsonb_build_object(
	         'tag', '', 'type', d.object_type, 'schema', d.schema_name, 'identity', d.object_identity,
	         'names', to_jsonb(d.address_names), 'args', to_jsonb(d.address_args), 'temporary', t)), '[]'),
	       bool_or(NOT t)
	  INTO list, kept
	  FROM pg_event_trigger_dropped_objects() d,
	       coalesce(d.is_temporary OR (cardinality(d.address_names) > 1 AND d.address_names[1] = 'pg_temp')
	             OR (d.classid IN (1259, 3381) AND d.objid::text = ANY (broken)), false) t
	 WHERE d.original;
	parts[6] := CASE WHEN kept THEN 'p' WHEN list <> '[]' THEN 't' ELSE '' END;
	IF kept THEN
		INSERT INTO pg_tenantsdb.dropped VALUES (pg_backend_pid(), list)
		ON CONFLICT (pid) DO UPDATE SET objects = excluded.objects;
	END IF;
	PERFORM pg_tenantsdb.remember(parts);
END $$;

-- structure writes the table that CREATE TABLE AS made as a CREATE TABLE; a
-- materialized view as what made it.
CREATE OR REPLACE FUNCTION pg_tenantsdb.structure(relation oid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT concat('CREATE ', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' END,
	    CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW ' ELSE 'TABLE ' END, quote_ident(n.nspname), '.', quote_ident(c.relname),
	    CASE WHEN c.relkind <> 'm' THEN ' (' ||
	    (SELECT string_agg(concat(quote_ident(a.attname), ' ', format_type(a.atttypid, a.atttypmod),
	         CASE WHEN a.attcollation <> t.typcollation THEN
	           (SELECT concat(' COLLATE ', quote_ident(cn.nspname), '.', quote_ident(co.collname))
	              FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
	             WHERE co.oid = a.attcollation) END), ', ' ORDER BY a.attnum)
	       FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
	      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) || ')' END,
	    CASE WHEN m.amname <> current_setting('default_table_access_method') THEN ' USING ' || quote_ident(m.amname) END,
	    (SELECT concat(' WITH (', string_agg(concat(o.prefix, quote_ident(x.option_name), ' = ', quote_literal(x.option_value)), ', '), ')')
	       FROM (VALUES ('', c.reloptions), ('toast.', toast.reloptions)) o (prefix, options),
	            pg_options_to_table(o.options) x
	     HAVING count(*) > 0),
	    CASE WHEN s.spcname IS NOT NULL OR current_setting('default_tablespace') <> ''
	         THEN ' TABLESPACE ' || quote_ident(coalesce(s.spcname, 'pg_default')) END,
	    CASE WHEN c.relkind = 'm' THEN ' AS ' || rtrim(pg_get_viewdef(c.oid), ';') || CASE WHEN NOT c.relispopulated THEN ' WITH NO DATA' ELSE '' END END)
	  FROM pg_class c
	  JOIN pg_namespace n ON n.oid = c.relnamespace
	  LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
	  LEFT JOIN pg_am m ON m.oid = c.relam
	  LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
	 WHERE c.oid = relation);
END $$;

-- keep stores a text once for a transaction and message. One that is known to
-- be new is not looked for, which also spares serializable transactions a
-- conflict about the journal.
CREATE OR REPLACE FUNCTION pg_tenantsdb.keep(content text, is_new boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	known bigint;
BEGIN
	IF NOT is_new THEN
		SELECT b.id INTO known FROM pg_tenantsdb.body b
		 WHERE b.xid = pg_current_xact_id() AND b.sent = statement_timestamp()
		   AND b.hash = hashtextextended(content COLLATE "C", 0) AND b.text = content
		 LIMIT 1;
	END IF;
	IF known IS NULL THEN
		INSERT INTO pg_tenantsdb.body (xid, sent, hash, text)
		VALUES (pg_current_xact_id(), statement_timestamp(), hashtextextended(content COLLATE "C", 0), content)
		RETURNING id INTO known;
	END IF;
	RETURN known;
END $$;

-- That of journals up to version 6.
DROP FUNCTION IF EXISTS pg_tenantsdb.note(text, text, integer, boolean, jsonb, jsonb, jsonb, text[], text, text, xid8);

-- note writes a row, and tells the proxy of it. Where search_path is NULL the
-- session has no part in what the change means.
CREATE OR REPLACE FUNCTION pg_tenantsdb.note(number bigint, tag text, context text, nth integer, created boolean, objects jsonb, dropped jsonb,
	sources jsonb, temps text[], structure text, search_path text, began xid8) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO pg_tenantsdb.journal (id, xid, pid, message, context, ordinal, tag, created, objects, dropped,
	            sources, temporary, structure, settings, source, at, reverts, began, seen)
	SELECT number, pg_current_xact_id(), pg_backend_pid(), pg_tenantsdb.keep(current_query(), context = '' AND nth = 0),
	       CASE WHEN context <> '' THEN pg_tenantsdb.keep(context, nth = 0) END, nth, tag,
	       created, objects, dropped, sources, temps, structure,
	       (SELECT coalesce(jsonb_object_agg(s, CASE s WHEN 'search_path' THEN search_path ELSE current_setting(s, true) END), '{}')
	          FROM unnest('{search_path,default_tablespace,default_table_access_method,default_toast_compression,check_function_bodies,
	                      standard_conforming_strings,backslash_quote,xmloption,DateStyle,IntervalStyle,
	                      TimeZone,array_nulls,transform_null_equals,default_text_search_config,lc_monetary,
	                      lc_numeric,bytea_output,timezone_abbreviations}'::text[]) s
	         WHERE current_setting(s, true) IS NOT NULL AND search_path IS NOT NULL),
	       CASE WHEN current_setting('tenantsdb.source', true) IN ('api', 'import')
	            THEN current_setting('tenantsdb.source', true) ELSE 'proxy' END,
	       clock_timestamp(), 0, began, pg_current_snapshot();
	RAISE INFO USING MESSAGE = 'schema changed', ERRCODE = 'TDB01';
END $$;

CREATE OR REPLACE FUNCTION pg_tenantsdb.record(tag text, context text, search_path text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
DECLARE
	parts      text[] := pg_tenantsdb.state();
	running    text[] := string_to_array(parts[5], ',');
	own        text[] := string_to_array(running[cardinality(running)], ':');
	outer_ones text[] := running[:cardinality(running) - 1];
	dropping   text := parts[6];
	w          record := pg_tenantsdb.writes();
	nth        integer;
	hash       text;
	list       jsonb;
	gone       jsonb := '[]';
	kept       boolean;
	creates    boolean;
	made       oid;
	indexed    oid;
	altered    oid;
	structure  text;
	certain    boolean;
	is_data    boolean := tag IN ('REFRESH MATERIALIZED VIEW', 'ALTER LARGE OBJECT');
	changed    boolean;
	sources    jsonb := '[]';
	temps      text[] := '{}';
	caller     text[];
	began      xid8;
	number     bigint;
BEGIN
	IF tag = 'REINDEX' THEN
		PERFORM pg_tenantsdb.revived();
		RETURN; -- as on_start
	END IF;
	-- The first line of the context is on_end's own.
	context := CASE WHEN strpos(context, chr(10)) > 0 THEN substr(context, strpos(context, chr(10)) + 1) ELSE '' END;
	parts[5] := array_to_string(outer_ones, ',');
	parts[6] := '';
	IF context <> '' THEN
		hash := hashtextextended(context COLLATE "C", 0);
		nth := CASE WHEN parts[3] = hash THEN parts[4]::integer ELSE 0 END;
		parts[3] := hash;
		parts[4] := nth + 1;
	ELSIF cardinality(outer_ones) > 0 THEN
		nth := 0;
	ELSE
		nth := parts[2];
		parts[2] := nth + 1;
		parts[3] := '';
	END IF;
	PERFORM pg_tenantsdb.remember(parts);

	IF tag = 'CREATE INDEX' AND current_query() ILIKE '%concurrently%' THEN
		DELETE FROM pg_tenantsdb.building b WHERE b.pid = pg_backend_pid() RETURNING b.xid INTO began;
		began := nullif(began::text, pg_current_xact_id()::text)::xid8;
	END IF;

	IF EXISTS (SELECT FROM unnest(outer_ones) o WHERE o LIKE '%:1') THEN
		RETURN; -- part of an extension's script
	END IF;

	SELECT coalesce(jsonb_agg(jsonb_build_object(
	         'tag', d.command_tag, 'type', d.object_type, 'schema', d.schema_name, 'identity', d.object_identity,
	         'names', to_jsonb(a.object_names), 'args', to_jsonb(a.object_args), 'temporary', t) ORDER BY d.ordinality), '[]'),
	       bool_or(NOT t),
	       bool_or(d.command_tag LIKE 'CREATE%' OR d.command_tag = 'SELECT INTO'),
	       max(d.objid::bigint) FILTER (WHERE d.command_tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO') AND d.classid = 1259),
	       max(d.objid::bigint) FILTER (WHERE d.command_tag = 'CREATE INDEX'),
	       max(d.objid::bigint) FILTER (WHERE d.command_tag = 'ALTER TABLE' AND d.object_type = 'table'),
	       is_data OR bool_or(lower(d.object_type) = 'large object')
	  INTO list, kept, creates, made, indexed, altered, is_data
	  FROM pg_event_trigger_ddl_commands() WITH ORDINALITY d
	  LEFT JOIN LATERAL pg_identify_object_as_address(d.classid, d.objid, d.objsubid) a ON true,
	       coalesce(d.schema_name = 'pg_temp' OR (cardinality(a.object_names) > 1 AND a.object_names[1] = 'pg_temp')
	             OR (d.object_type = 'index' AND d.objid::text = ANY (string_to_array(pg_tenantsdb.broken(), '.')))
	             OR (d.classid = 3381 AND pg_tenantsdb.passes((SELECT s.stxrelid FROM pg_statistic_ext s WHERE s.oid = d.objid))), false) t
	 WHERE NOT d.in_extension;

	IF list = '[]' AND context ~ '^SQL statement "(CREATE TEMP|ALTER) TABLE pg_temp_[0-9]+\.' THEN
		RETURN; -- REFRESH MATERIALIZED VIEW CONCURRENTLY at its work, which the server does not list
	END IF;

	IF dropping = 'p' THEN
		DELETE FROM pg_tenantsdb.dropped WHERE pid = pg_backend_pid() RETURNING objects INTO gone;
	END IF;

	-- Without a base (the client reset the setting under way) a change is assumed.
	changed := coalesce(own[1]::bigint <> w.total, true) OR coalesce(creates, false);
	kept := CASE WHEN tag = 'DROP OWNED' OR dropping = 'p' AND list = '[]' THEN true
	             WHEN list = '[]' THEN dropping <> 't'
	             ELSE kept END;
	IF coalesce(is_data, false) OR NOT changed OR NOT kept THEN
		RETURN;
	END IF;

	IF context LIKE 'SQL function "%' THEN
		caller := regexp_match(split_part(context, chr(10), 1), '^SQL function "(.*)" statement [0-9]+$');
		SELECT coalesce(jsonb_agg(p.prosrc ORDER BY p.oid DESC), '[]') INTO sources
		  FROM pg_proc p WHERE p.proname = caller[1] AND p.prolang = 14 AND p.prosqlbody IS NULL;
	END IF;
	IF pg_my_temp_schema() <> 0 AND (tag IN ('GRANT', 'REVOKE') OR tag = 'CREATE TABLE' AND current_query() || context ILIKE '%like%') THEN
		SELECT coalesce(array_agg(c.relname::text), '{}') INTO temps
		  FROM pg_class c WHERE c.relnamespace = pg_my_temp_schema();
	END IF;
	IF tag IN ('CREATE TABLE AS', 'SELECT INTO') THEN
		structure := pg_tenantsdb.structure(made);
	ELSIF tag = 'CREATE TABLE' AND temps <> '{}' THEN
		structure := pg_tenantsdb.copied(made);
	ELSIF tag = 'CREATE INDEX' THEN
		structure := pg_tenantsdb.beside(indexed);
	ELSIF tag IN ('CREATE TABLE', 'ALTER TABLE') THEN
		structure := pg_tenantsdb.own_names(coalesce(made, altered), made IS NOT NULL AND current_query() || context ILIKE '%like%');
		certain := structure::jsonb -> 'certain' = 'true';
	END IF;
	-- Names that others have are looked at on both sides of the row's number: who made
	-- one of them has a row before this one, and who drops it one behind.
	number := pg_tenantsdb.next_id();
	IF tag = 'CREATE INDEX' AND structure = '' THEN
		structure := pg_tenantsdb.beside(indexed);
	ELSIF certain THEN
		structure := pg_tenantsdb.own_names(coalesce(made, altered), made IS NOT NULL AND current_query() || context ILIKE '%like%');
	END IF;

	PERFORM pg_tenantsdb.note(number, tag, context, nth, coalesce(own[2]::bigint < w.inserts, false), list, gone, sources, temps,
	        structure, search_path, began);
END $$;

CREATE OR REPLACE FUNCTION pg_tenantsdb.on_end() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET lc_messages = 'C' AS $$
DECLARE
	context pg_catalog.text;
BEGIN
	GET DIAGNOSTICS context = PG_CONTEXT;
	PERFORM pg_tenantsdb.record(tg_tag, context, pg_catalog.current_setting('search_path'));
END $$;

-- The server fires no event trigger for EXPLAIN ANALYZE of a statement that
-- makes a table, nor for CLUSTER … USING. The proxy has such a statement run by
-- tenantsdb_explain and tenantsdb_cluster, which are in pg_catalog since a schema
-- that a client may use shows in information_schema. They run as the client,
-- whose names and settings they must see, so every name in them is qualified. At
-- the end they tell the proxy which tag the client is to see.

-- made lists the tables and materialized views of a name that this transaction
-- created. A tuple that is seen while its transaction is in progress is this
-- one's; that of a system column is written once.
CREATE OR REPLACE FUNCTION pg_catalog.tenantsdb_made(named name) RETURNS oid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	own constant xid8 := pg_current_xact_id();
BEGIN
	RETURN ARRAY(
		SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tableoid'
		 WHERE c.relname = named AND c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
		   AND CASE WHEN age(a.xmin) <= age(own::xid)
		            THEN pg_xact_status((own::text::bigint + age(own::xid) - age(a.xmin))::text::xid8) = 'in progress'
		            ELSE false END);
END $$;

-- explained notes the tables and materialized views of a name that were made
-- since before.
CREATE OR REPLACE FUNCTION pg_catalog.tenantsdb_explained(named name, before oid[], search_path text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
DECLARE
	relation record;
BEGIN
	FOR relation IN
		SELECT c.oid, c.relkind, n.nspname, i.type, i.identity, a.object_names, a.object_args
		  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
		       pg_identify_object(1259, c.oid, 0) i, pg_identify_object_as_address(1259, c.oid, 0) a
		 WHERE c.oid = ANY (pg_catalog.tenantsdb_made(named)) AND c.oid <> ALL (before)
	LOOP
		PERFORM pg_tenantsdb.note(pg_tenantsdb.next_id(), t.tag, '', 0, true, jsonb_build_array(jsonb_build_object(
		          'tag', t.tag, 'type', relation.type, 'schema', relation.nspname, 'identity', relation.identity,
		          'names', to_jsonb(relation.object_names), 'args', to_jsonb(relation.object_args), 'temporary', false)),
		        '[]', '[]', '{}', pg_tenantsdb.structure(relation.oid), search_path, NULL)
		   FROM (VALUES (CASE relation.relkind WHEN 'm' THEN 'CREATE MATERIALIZED VIEW' ELSE 'CREATE TABLE AS' END)) t (tag);
	END LOOP;
END $$;

-- explain runs an EXPLAIN that may make the table or materialized view of a name.
-- plan has the type of its rows.
CREATE OR REPLACE FUNCTION pg_catalog.tenantsdb_explain(statement text, named name, plan anyelement) RETURNS SETOF anyelement
LANGUAGE plpgsql AS $$
DECLARE
	before pg_catalog.oid[] := pg_catalog.tenantsdb_made(named);
BEGIN
	RETURN QUERY EXECUTE statement;
	PERFORM pg_catalog.tenantsdb_explained(named, before, pg_catalog.current_setting('search_path'));
	RAISE INFO USING MESSAGE = 'explained', ERRCODE = 'TDB02';
END $$;

-- cluster marks the index, which is noted, and then clusters by it. Of a
-- partitioned table these are the partitions and their parts of the index.
CREATE OR REPLACE PROCEDURE pg_catalog.tenantsdb_cluster(relation text, index name, options text)
LANGUAGE plpgsql AS $$
DECLARE
	clustered constant pg_catalog.regclass := relation;
	parts     pg_catalog.text[] := ARRAY[relation];
	indexes   pg_catalog.text[] := ARRAY[pg_catalog.quote_ident(index)];
BEGIN
	IF (SELECT c.relkind OPERATOR(pg_catalog.=) 'p' FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) clustered) THEN
		SELECT pg_catalog.array_agg(pg_catalog.format('%I.%I', n.nspname, t.relname) ORDER BY t.oid USING OPERATOR(pg_catalog.<)),
		       pg_catalog.array_agg(pg_catalog.quote_ident(i.relname) ORDER BY t.oid USING OPERATOR(pg_catalog.<))
		  INTO parts, indexes
		  FROM pg_catalog.pg_index x
		  JOIN pg_catalog.pg_class whole ON whole.oid OPERATOR(pg_catalog.=) x.indexrelid AND whole.relname OPERATOR(pg_catalog.=) index,
		       pg_catalog.pg_partition_tree(whole.oid) p
		  JOIN pg_catalog.pg_class i ON i.oid OPERATOR(pg_catalog.=) p.relid AND i.relkind OPERATOR(pg_catalog.=) 'i'
		  JOIN pg_catalog.pg_index y ON y.indexrelid OPERATOR(pg_catalog.=) i.oid
		  JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) y.indrelid
		  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.relnamespace
		 WHERE x.indrelid OPERATOR(pg_catalog.=) clustered;
		IF parts IS NULL AND NOT EXISTS (
			SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid OPERATOR(pg_catalog.=) x.indexrelid
			 WHERE x.indrelid OPERATOR(pg_catalog.=) clustered AND i.relname OPERATOR(pg_catalog.=) index)
		THEN
			RAISE undefined_object USING MESSAGE = pg_catalog.format('index "%s" for table "%s" does not exist', index, relation);
		END IF;
	END IF;
	FOR i IN 1 .. coalesce(pg_catalog.cardinality(parts), 0) LOOP
		EXECUTE pg_catalog.format('ALTER TABLE %s CLUSTER ON %s', parts[i], indexes[i]);
		EXECUTE pg_catalog.format('CLUSTER %s %s USING %s', options, parts[i], indexes[i]);
	END LOOP;
	RAISE INFO USING MESSAGE = 'clustered', ERRCODE = 'TDB03';
END $$;

REVOKE ALL ON SCHEMA pg_tenantsdb FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA pg_tenantsdb FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pg_tenantsdb FROM PUBLIC;

DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'tenantsdb_start') THEN
		CREATE EVENT TRIGGER tenantsdb_start ON ddl_command_start EXECUTE FUNCTION pg_tenantsdb.on_start();
		CREATE EVENT TRIGGER tenantsdb_drop ON sql_drop EXECUTE FUNCTION pg_tenantsdb.on_drop();
		CREATE EVENT TRIGGER tenantsdb_end ON ddl_command_end EXECUTE FUNCTION pg_tenantsdb.on_end();
		ALTER EXTENSION plpgsql ADD EVENT TRIGGER tenantsdb_start;
		ALTER EXTENSION plpgsql ADD EVENT TRIGGER tenantsdb_drop;
		ALTER EXTENSION plpgsql ADD EVENT TRIGGER tenantsdb_end;
	END IF;
END $$;
