package postgres

// indexExtras are the statements that finish index %[1]s: storage parameters of
// a constraint's index, which its definition leaves out, statistics targets,
// and the parent that it is attached to.
const indexExtras = `(
		SELECT coalesce(array_agg(x.statement ORDER BY x.ord), '{}') FROM (
			SELECT 1 AS ord, 'ALTER INDEX ' || ic.oid::regclass || ' SET (' || (SELECT string_agg(split_part(r, '=', 1) || '=' || quote_literal(substr(r, strpos(r, '=') + 1)), ', ') FROM unnest(ic.reloptions) r) || ')' AS statement
			FROM pg_class ic WHERE ic.oid = %[1]s AND ic.reloptions IS NOT NULL
				AND EXISTS (SELECT FROM pg_constraint kk WHERE kk.conindid = ic.oid AND kk.contype IN ('p', 'u', 'x'))
			UNION ALL
			SELECT 2, 'ALTER INDEX ' || a.attrelid::regclass || ' ALTER COLUMN ' || a.attnum || ' SET STATISTICS ' || a.attstattarget
			FROM pg_attribute a WHERE a.attrelid = %[1]s AND a.attstattarget >= 0
			UNION ALL
			SELECT 3, 'ALTER INDEX ' || i.inhparent::regclass || ' ATTACH PARTITION ' || i.inhrelid::regclass
			FROM pg_inherits i WHERE i.inhrelid = %[1]s
		) x)`

const foreignKeysSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || c.relname || '.' || o.conname, ARRAY[
		'ALTER TABLE ' || c.oid::regclass || ' ADD CONSTRAINT ' || quote_ident(o.conname) || ' ' || pg_get_constraintdef(o.oid)]
	FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE o.contype = 'f' AND o.conparentid = 0 AND c.relpersistence <> 't' AND ` + userSchema + ` AND ` + notExtensions

const exclusionsSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || c.relname || '.' || o.conname, ARRAY[
		'ALTER TABLE ONLY ' || c.oid::regclass || ' ADD CONSTRAINT ' || quote_ident(o.conname) || ' ' || pg_get_constraintdef(o.oid)]
	FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE o.contype = 'x' AND c.relpersistence <> 't' AND ` + userSchema + ` AND ` + notExtensions

// indexesSQL has those that no constraint made.
const indexesSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || c.relname || '.' || o.relname, ARRAY[pg_get_indexdef(o.oid)] || %s
	FROM pg_class o JOIN pg_index x ON x.indexrelid = o.oid JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND ` + userSchema + ` AND ` + notExtensions + `
		AND (x.indisvalid OR c.relkind = 'p')
		AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = o.oid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x'))`

// indexUsesSQL has what a table does with one of its indexes.
const indexUsesSQL = `
	SELECT 0::int8, x.indexrelid::int8 * 2 + u.n, c.relname || '.' || i.relname, ARRAY['ALTER TABLE ' || u.one || c.oid::regclass || u.does || quote_ident(i.relname)]
	FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
	LATERAL (VALUES (0, x.indisclustered, '', ' CLUSTER ON '), (1, x.indisreplident, 'ONLY ', ' REPLICA IDENTITY USING INDEX ')) u (n, used, one, does)
	WHERE u.used AND c.relpersistence <> 't' AND ` + userSchema + `
		AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`

const statisticsSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.stxname, ARRAY[pg_get_statisticsobjdef(o.oid)]
		|| CASE WHEN o.stxstattarget >= 0 THEN ARRAY['ALTER STATISTICS ' || quote_ident(n.nspname) || '.' || quote_ident(o.stxname) || ' SET STATISTICS ' || o.stxstattarget] ELSE '{}' END
	FROM pg_statistic_ext o JOIN pg_namespace n ON n.oid = o.stxnamespace
	WHERE ` + userSchema + ` AND ` + notExtensions

// enabledState writes the state of a trigger or rule that is not simply on.
const enabledState = `CASE %[1]s WHEN 'D' THEN ARRAY['ALTER TABLE ' || %[2]s || ' DISABLE %[3]s ' || %[4]s]
		WHEN 'R' THEN ARRAY['ALTER TABLE ' || %[2]s || ' ENABLE REPLICA %[3]s ' || %[4]s]
		WHEN 'A' THEN ARRAY['ALTER TABLE ' || %[2]s || ' ENABLE ALWAYS %[3]s ' || %[4]s] ELSE '{}' END`

const rulesSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || c.relname || '.' || o.rulename, ARRAY[rtrim(pg_get_ruledef(o.oid), ';')] || %s
	FROM pg_rewrite o JOIN pg_class c ON c.oid = o.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE o.rulename <> '_RETURN' AND c.relpersistence <> 't' AND ` + userSchema + `
		AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`

// triggersSQL leaves out the copies that partitions have of their parent's,
// unless their state differs.
const triggersSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || c.relname || '.' || o.tgname,
		CASE WHEN p.oid IS NULL THEN ARRAY[pg_get_triggerdef(o.oid)] ELSE '{}' END || CASE
			WHEN p.oid IS NOT NULL AND o.tgenabled = 'O' THEN ARRAY['ALTER TABLE ' || c.oid::regclass || ' ENABLE TRIGGER ' || quote_ident(o.tgname)] ELSE %s END
	FROM pg_trigger o JOIN pg_class c ON c.oid = o.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	LEFT JOIN pg_trigger p ON p.oid = o.tgparentid
	WHERE NOT o.tgisinternal AND (p.oid IS NULL OR p.tgenabled <> o.tgenabled) AND c.relpersistence <> 't' AND ` + userSchema + ` AND ` + notExtensions + `
		AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`

const policiesSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || c.relname || '.' || o.polname, ARRAY[
		'CREATE POLICY ' || quote_ident(o.polname) || ' ON ' || c.oid::regclass || CASE WHEN o.polpermissive THEN '' ELSE ' AS RESTRICTIVE' END
		|| CASE o.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE' WHEN 'd' THEN ' FOR DELETE' ELSE '' END
		|| CASE WHEN o.polroles = '{0}' THEN '' ELSE ' TO ' || (
			SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' WHEN r = c.relowner THEN 'CURRENT_USER' ELSE r::regrole::text END, ', ') FROM unnest(o.polroles) r) END
		|| coalesce(' USING (' || pg_get_expr(o.polqual, o.polrelid) || ')', '') || coalesce(' WITH CHECK (' || pg_get_expr(o.polwithcheck, o.polrelid) || ')', '')]
	FROM pg_policy o JOIN pg_class c ON c.oid = o.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE ` + userSchema

// publicationsSQL takes prqual from z on servers before 15, which have none.
const publicationsSQL = `
	SELECT ` + selfColumns + `o.pubname, ARRAY[
		'CREATE PUBLICATION ' || quote_ident(o.pubname) || coalesce((
			SELECT ' FOR TABLE ' || string_agg('ONLY ' || r.prrelid::regclass || coalesce(' (' || (
					SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
					WHERE a.attrelid = r.prrelid AND to_jsonb(r)->'prattrs' @> to_jsonb(a.attnum)) || ')', '')
				|| coalesce(' WHERE (' || (
					SELECT pg_get_expr(f.q, r.prrelid) FROM (SELECT NULL::pg_node_tree AS prqual) z, LATERAL (SELECT prqual AS q FROM pg_publication_rel s WHERE s.oid = r.oid) f) || ')', ''), ', ' ORDER BY r.prrelid::regclass::text)
			FROM pg_publication_rel r WHERE r.prpubid = o.oid), '')
		|| ' WITH (publish = ' || quote_literal(concat_ws(', ', CASE WHEN o.pubinsert THEN 'insert' END, CASE WHEN o.pubupdate THEN 'update' END, CASE WHEN o.pubdelete THEN 'delete' END, CASE WHEN o.pubtruncate THEN 'truncate' END)) || CASE WHEN o.pubviaroot THEN ', publish_via_partition_root = true' ELSE '' END || ')']
	FROM pg_publication o WHERE NOT o.puballtables AND ` + notExtensions
