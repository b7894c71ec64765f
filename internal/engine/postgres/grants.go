package postgres

// commentsSQL gives COMMENT ON for what is the client's.
const commentsSQL = `
	SELECT 'COMMENT ON ' || CASE
			WHEN i.type LIKE '% column' THEN 'COLUMN ' || i.identity
			WHEN i.type = 'domain constraint' THEN 'CONSTRAINT ' || regexp_replace(i.identity, ' on ', ' ON DOMAIN ')
			WHEN i.type IN ('table constraint', 'trigger', 'rule', 'policy') THEN upper(replace(i.type, 'table ', '')) || ' ' || regexp_replace(i.identity, ' on ', ' ON ')
			WHEN i.type = 'composite type' THEN 'TYPE ' || i.identity
			WHEN i.type = 'statistics object' THEN 'STATISTICS ' || i.identity
			ELSE upper(i.type) || ' ' || i.identity END
		|| ' IS ' || quote_literal(d.description)
	FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
	WHERE d.objoid >= 16384 AND coalesce(i.schema, '') !~ '^pg_' AND NOT (i.type = 'schema' AND i.identity ~ '^pg_')
		AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
		AND d.classoid NOT IN ('pg_event_trigger'::regclass)
		AND NOT (d.classoid = 'pg_extension'::regclass AND d.description = (
			SELECT v.comment FROM pg_extension x JOIN pg_available_extensions v ON v.name = x.extname WHERE x.oid = d.objoid))
	UNION ALL
	SELECT 'COMMENT ON SCHEMA public IS ' || coalesce(quote_literal(d.description), 'NULL')
	FROM pg_namespace n LEFT JOIN pg_description d ON d.classoid = n.tableoid AND d.objoid = n.oid AND d.objsubid = 0
	WHERE n.nspname = 'public' AND d.description IS DISTINCT FROM CASE WHEN ` + givenPublic + ` THEN 'standard public schema' END
	ORDER BY 1`

// privilegesSQL gives the REVOKE and GRANT statements that lead from an
// object's default privileges to its own, in the order in which they are kept;
// without those of the reader $1, which are not the client's. Schema public begins with what PostgreSQL gives a new database.
const privilegesSQL = `
	WITH target (what, acl, base, owner, ord) AS (
		SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass, c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner), c.relowner, c.relname::text
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relacl IS NOT NULL AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't' AND ` + userSchema + `
			AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = c.tableoid AND e.objid = c.oid AND e.deptype = 'e')
		UNION ALL
		SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || p.oid::regprocedure, p.proacl, acldefault('f', p.proowner), p.proowner, p.proname::text
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE p.proacl IS NOT NULL AND ` + userSchema + `
			AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = p.tableoid AND e.objid = p.oid AND e.deptype = 'e')
		UNION ALL
		SELECT 'TYPE ' || format_type(t.oid, NULL), t.typacl, acldefault('T', t.typowner), t.typowner, t.typname::text
		FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
		WHERE t.typacl IS NOT NULL AND ` + userSchema + `
			AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = t.tableoid AND e.objid = t.oid AND e.deptype = 'e')
		UNION ALL
		SELECT 'SCHEMA ' || quote_ident(n.nspname), n.nspacl,
			CASE WHEN n.nspname = 'public' AND ` + givenPublic + ` THEN coalesce((SELECT p.initprivs FROM pg_init_privs p WHERE p.classoid = n.tableoid AND p.objoid = n.oid), acldefault('n', n.nspowner)) ELSE acldefault('n', n.nspowner) END,
			n.nspowner, n.nspname::text
		FROM pg_namespace n WHERE n.nspacl IS NOT NULL AND ` + userSchema + `
			AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = n.tableoid AND e.objid = n.oid AND e.deptype = 'e')
	), change (statement, ord, step, n) AS (
		SELECT 'REVOKE ' || b.privilege_type || ' ON ' || t.what || ' FROM ' || ` + grantee + `, t.ord || t.what, 1, b.n
		FROM target t, aclexplode(t.base) WITH ORDINALITY b (grantor, grantee, privilege_type, is_grantable, n)
		WHERE NOT EXISTS (SELECT FROM aclexplode(t.acl) a WHERE a.grantee = b.grantee AND a.privilege_type = b.privilege_type)
		UNION ALL
		SELECT 'GRANT ' || b.privilege_type || ' ON ' || t.what || ' TO ' || ` + grantee + ` || CASE WHEN b.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, t.ord || t.what, 2, b.n
		FROM target t, aclexplode(t.acl) WITH ORDINALITY b (grantor, grantee, privilege_type, is_grantable, n)
		WHERE ` + notReaders + ` AND NOT EXISTS (SELECT FROM aclexplode(t.base) a WHERE a.grantee = b.grantee AND a.privilege_type = b.privilege_type AND a.is_grantable = b.is_grantable)
		UNION ALL
		SELECT 'GRANT ' || b.privilege_type || ' (' || quote_ident(a.attname) || ') ON TABLE ' || c.oid::regclass || ' TO ' || CASE WHEN b.grantee = 0 THEN 'PUBLIC' WHEN b.grantee = c.relowner THEN 'CURRENT_USER' ELSE b.grantee::regrole::text END
			|| CASE WHEN b.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, c.relname || a.attnum, 3, b.n
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
			aclexplode(a.attacl) WITH ORDINALITY b (grantor, grantee, privilege_type, is_grantable, n)
		WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relpersistence <> 't' AND ` + userSchema + `
			AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = c.tableoid AND e.objid = c.oid AND e.deptype = 'e')
	)
	SELECT statement FROM change ORDER BY step = 3, ord, step, n`

// notReaders says that privilege b is not the reader's.
const notReaders = `b.grantee IS DISTINCT FROM (SELECT oid FROM pg_roles WHERE rolname = $1)`

// grantee is role b.grantee of target t; the owner is whoever runs the
// statements.
const grantee = `CASE WHEN b.grantee = 0 THEN 'PUBLIC' WHEN b.grantee = t.owner THEN 'CURRENT_USER' ELSE b.grantee::regrole::text END`

// defaultPrivilegesSQL come last, so that they do not touch what is made here; the
// reader $1 is left out.
const defaultPrivilegesSQL = `
	WITH target (within, acl, base, owner, kind) AS (
		SELECT coalesce(' IN SCHEMA ' || quote_ident(n.nspname), ''), d.defaclacl,
			CASE WHEN d.defaclnamespace = 0 THEN acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's'::"char" ELSE d.defaclobjtype END, d.defaclrole) END,
			d.defaclrole, CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END
		FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
	), change (statement, ord, step, n) AS (
		SELECT 'ALTER DEFAULT PRIVILEGES' || t.within || ' REVOKE ' || b.privilege_type || ' ON ' || t.kind || ' FROM ' || ` + grantee + `, t.within || t.kind, 1, b.n
		FROM target t, aclexplode(t.base) WITH ORDINALITY b (grantor, grantee, privilege_type, is_grantable, n)
		WHERE NOT EXISTS (SELECT FROM aclexplode(t.acl) a WHERE a.grantee = b.grantee AND a.privilege_type = b.privilege_type)
		UNION ALL
		SELECT 'ALTER DEFAULT PRIVILEGES' || t.within || ' GRANT ' || b.privilege_type || ' ON ' || t.kind || ' TO ' || ` + grantee + ` || CASE WHEN b.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, t.within || t.kind, 2, b.n
		FROM target t, aclexplode(t.acl) WITH ORDINALITY b (grantor, grantee, privilege_type, is_grantable, n)
		WHERE ` + notReaders + ` AND NOT EXISTS (SELECT FROM aclexplode(t.base) a WHERE a.grantee = b.grantee AND a.privilege_type = b.privilege_type AND a.is_grantable = b.is_grantable)
	)
	SELECT statement FROM change ORDER BY ord, step, n`
