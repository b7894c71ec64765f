-- Names that the server makes up keep clear of those that are there at that
-- moment, also of some that no record before has. Where they did, the journal
-- keeps them. Like journal.sql's, the functions run under the search_path of what
-- calls them.

-- kept_clear says of an index or a sequence whether its name, if the server made it
-- up, keeps clear of a name that no record before has, or that a replay may not
-- have any more: that of an index that is not valid, or not yet, or of which no
-- record tells yet that it was revived; of what a transaction made that has not
-- committed, and may not; or of what another transaction may be about to drop or
-- rename, for which it has the lock. The locks are looked at before the names: one
-- that is given up in between was, where it dropped or renamed, by a transaction
-- that the names show. A name that was cut to be as long as names may be does not
-- show of which it keeps clear.
CREATE OR REPLACE FUNCTION pg_tenantsdb.kept_clear(made oid) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	held constant oid[] := ARRAY(
		SELECT l.relation FROM pg_locks l
		 WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ('ShareUpdateExclusiveLock', 'AccessExclusiveLock')
		   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		   AND l.pid IS DISTINCT FROM pg_backend_pid());
BEGIN
	RETURN EXISTS (
	SELECT FROM pg_class c, LATERAL substring(c.relname FROM '_(?:idx|seq|pkey|key|excl)([1-9][0-9]{0,5})$') nth, LATERAL left(c.relname, -length(nth)) first
	 WHERE c.oid = made AND nth IS NOT NULL
	   AND (octet_length(c.relname::text) > 60 OR nth::integer > (
	         SELECT count(*) FROM pg_class b
	          WHERE b.relnamespace = c.relnamespace AND b.relname IN (SELECT (first || coalesce(nullif(n, 0)::text, ''))::name FROM generate_series(0, nth::integer - 1) n)
	            AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = b.oid AND NOT i.indisvalid)
	            AND NOT EXISTS (SELECT FROM pg_tenantsdb.broken_index k JOIN pg_namespace n ON n.nspname = k.schema WHERE n.oid = b.relnamespace AND k.name = b.relname)
	            AND b.oid <> ALL (held))));
END $$;

-- numbered says whether a name may be one that the server made up to keep clear of
-- another. The other may be dropped or renamed before this transaction's last
-- command, by one that a replay has before it.
CREATE OR REPLACE FUNCTION pg_tenantsdb.numbered(made oid) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM pg_class c WHERE c.oid = made AND c.relname ~ '_(idx|seq|pkey|key|excl)[1-9][0-9]{0,5}$')
$$;

-- beside is the definition of an index whose name keeps clear of another; empty
-- where a replay makes up the same name if no command follows in the transaction.
CREATE OR REPLACE FUNCTION pg_tenantsdb.beside(made oid) RETURNS text
LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN pg_tenantsdb.kept_clear(made) THEN pg_get_indexdef(made) ELSE '' END WHERE pg_tenantsdb.numbered(made)
$$;

-- made_here lists what this transaction made of a table's sequences and indexes. A
-- tuple that is seen while its transaction is in progress is this one's; that of a
-- first column is written once, if nobody renames it.
CREATE OR REPLACE FUNCTION pg_tenantsdb.made_here(relation oid) RETURNS oid[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
	own constant xid8 := pg_current_xact_id();
BEGIN
	RETURN ARRAY(
		SELECT o.oid
		  FROM (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = relation
		        UNION ALL
		        SELECT d.objid FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid
		         WHERE d.classid = 1259 AND d.refclassid = 1259 AND d.refobjid = relation AND d.deptype IN ('a', 'i')) o (oid)
		  JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = 1
		 WHERE pg_tenantsdb.numbered(o.oid)
		   AND CASE WHEN age(a.xmin) <= age(own::xid)
		            THEN pg_xact_status((own::text::bigint + age(own::xid) - age(a.xmin))::text::xid8) = 'in progress'
		            ELSE false END);
END $$;

-- own_names are those of a table's sequences and of the constraints that have an
-- index, where this transaction made one that may keep clear of another; with the
-- whole table where it may be made LIKE another, since names of what that brings
-- can't be given. They are certain where a replay makes up the same if no command
-- follows in the transaction.
CREATE OR REPLACE FUNCTION pg_tenantsdb.own_names(relation oid, copies boolean) RETURNS text
LANGUAGE sql VOLATILE AS $$
	SELECT jsonb_build_object(
	         'names', jsonb_build_array(n.nspname, t.relname),
	         'whole', CASE WHEN copies THEN pg_tenantsdb.copied(relation) END,
	         'certain', NOT EXISTS (SELECT FROM unnest(here) o WHERE pg_tenantsdb.kept_clear(o)),
	         'unlogged', t.relpersistence = 'u' AND current_setting('server_version_num')::integer >= 150000,
	         'sequences', (SELECT coalesce(jsonb_agg(jsonb_build_object('column', a.attname, 'names', jsonb_build_array(s.nspname, s.relname), 'type', s.type)), '[]')
	                         FROM pg_tenantsdb.copied_sequences(relation) s JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = s.attnum),
	         'constraints', (SELECT coalesce(jsonb_agg(jsonb_build_object('type', k.contype, 'name', k.conname, 'columns', k.columns) ORDER BY k.oid), '[]')
	                           FROM (SELECT r.oid, r.contype, r.conname,
	                                        ARRAY(SELECT coalesce(a.attname, '') FROM unnest(r.conkey) WITH ORDINALITY u (attnum, nth)
	                                                LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = u.attnum ORDER BY u.nth) AS columns
	                                   FROM pg_constraint r WHERE r.conrelid = relation AND r.contype IN ('p', 'u', 'x') AND r.conparentid = 0) k))::text
	  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace, pg_tenantsdb.made_here(relation) here
	 WHERE t.oid = relation AND t.relpersistence <> 't' AND here <> '{}'
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pg_tenantsdb FROM PUBLIC;
