-- Names that the server makes up keep clear of those that are there at that
-- moment, also of some that no record before has. Where they did, the journal
-- keeps them. Like journal.sql's, the functions run under the search_path of what
-- calls them.

-- kept_clear says of an index or a sequence whether its name, if the server made it
-- up, keeps clear of a name that no record before has, or that a replay may not
-- have any more: that of an index that is not valid, or not yet, or of which no
-- record tells yet that it was revived; of what a transaction made that has not
-- committed, and may not; or of what another transaction may be about to drop or
-- rename, for which it has the lock. A name that was cut to be as long as names may
-- be does not show of which it keeps clear.
CREATE OR REPLACE FUNCTION pg_tenantsdb.kept_clear(made oid) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (
	SELECT FROM pg_class c, LATERAL substring(c.relname FROM '_(?:idx|seq|pkey|key|excl)([1-9][0-9]{0,5})$') nth, LATERAL left(c.relname, -length(nth)) first
	 WHERE c.oid = made AND nth IS NOT NULL
	   AND (octet_length(c.relname::text) > 60 OR nth::integer > (
	         SELECT count(*) FROM pg_class b
	          WHERE b.relnamespace = c.relnamespace AND b.relname IN (SELECT (first || coalesce(nullif(n, 0)::text, ''))::name FROM generate_series(0, nth::integer - 1) n)
	            AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = b.oid AND NOT i.indisvalid)
	            AND NOT EXISTS (SELECT FROM pg_tenantsdb.broken_index k JOIN pg_namespace n ON n.nspname = k.schema WHERE n.oid = b.relnamespace AND k.name = b.relname)
	            AND NOT EXISTS (SELECT FROM pg_locks l
	                             WHERE l.relation = b.oid AND l.granted AND l.mode IN ('ShareUpdateExclusiveLock', 'AccessExclusiveLock')
	                               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	                               AND l.pid IS DISTINCT FROM pg_backend_pid()))))
$$;

-- beside is the definition of an index whose name keeps clear of another.
CREATE OR REPLACE FUNCTION pg_tenantsdb.beside(made oid) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT pg_get_indexdef(made) WHERE pg_tenantsdb.kept_clear(made)
$$;

-- own_names are those of a table's sequences and of the constraints that have an
-- index, where one of them keeps clear of another; with the whole table where it
-- may be made LIKE another, since names of what that brings can't be given.
CREATE OR REPLACE FUNCTION pg_tenantsdb.own_names(relation oid, copies boolean) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
	         'names', jsonb_build_array(n.nspname, t.relname),
	         'whole', CASE WHEN copies THEN pg_tenantsdb.copied(relation) END,
	         'unlogged', t.relpersistence = 'u' AND current_setting('server_version_num')::integer >= 150000,
	         'sequences', (SELECT coalesce(jsonb_agg(jsonb_build_object('column', a.attname, 'names', jsonb_build_array(s.nspname, s.relname), 'type', s.type)), '[]')
	                         FROM pg_tenantsdb.copied_sequences(relation) s JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = s.attnum),
	         'constraints', (SELECT coalesce(jsonb_agg(jsonb_build_object('type', k.contype, 'name', k.conname, 'columns', k.columns) ORDER BY k.oid), '[]')
	                           FROM (SELECT r.oid, r.contype, r.conname,
	                                        ARRAY(SELECT coalesce(a.attname, '') FROM unnest(r.conkey) WITH ORDINALITY u (attnum, nth)
	                                                LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = u.attnum ORDER BY u.nth) AS columns
	                                   FROM pg_constraint r WHERE r.conrelid = relation AND r.contype IN ('p', 'u', 'x') AND r.conparentid = 0) k))::text
	  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
	 WHERE t.oid = relation AND t.relpersistence <> 't'
	   AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND pg_tenantsdb.kept_clear(i.indexrelid)
	                  AND (copies OR EXISTS (SELECT FROM pg_constraint r WHERE r.conindid = i.indexrelid AND r.contype IN ('p', 'u', 'x')))
	               UNION ALL
	               SELECT FROM pg_depend d WHERE d.classid = 1259 AND d.refclassid = 1259 AND d.refobjid = relation AND d.deptype IN ('a', 'i')
	                  AND EXISTS (SELECT FROM pg_sequence q WHERE q.seqrelid = d.objid) AND pg_tenantsdb.kept_clear(d.objid))
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pg_tenantsdb FROM PUBLIC;
