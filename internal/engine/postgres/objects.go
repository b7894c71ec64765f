package postgres

import "fmt"

// objectQuery reads one kind of object: (catalog, oid, name for the order,
// statements).
type objectQuery struct {
	kind kind
	what string
	sql  string
}

// objectQueries are all kinds but tables. What belongs to an extension comes
// with the extension.
func objectQueries() []objectQuery {
	indexes := fmt.Sprintf(indexesSQL, fmt.Sprintf(indexExtras, "o.oid"))
	rules := fmt.Sprintf(rulesSQL, fmt.Sprintf(enabledState, "o.ev_enabled", "c.oid::regclass", "RULE", "quote_ident(o.rulename)"))
	triggers := fmt.Sprintf(triggersSQL, fmt.Sprintf(enabledState, "o.tgenabled", "c.oid::regclass", "TRIGGER", "quote_ident(o.tgname)"))
	return []objectQuery{
		{kindSetting, "settings", settingsSQL},
		{kindSchema, "schemas", schemasSQL},
		{kindExtension, "extensions", extensionsSQL},
		{kindCollation, "collations", collationsSQL},
		{kindCollation, "conversions", conversionsSQL},
		{kindType, "types", typesSQL},
		{kindTextSearch, "text search dictionaries", dictionariesSQL},
		{kindTextSearch, "text search configurations", configurationsSQL},
		{kindSequence, "sequences", freeSequencesSQL},
		{kindFunction, "functions", functionsSQL},
		{kindFunction, "aggregates", aggregatesSQL},
		{kindOperator, "operators", operatorsSQL},
		{kindCast, "casts", castsSQL},
		{kindView, "views", viewsSQL},
		{kindDefault, "defaults of views", viewDefaultsSQL},
		{kindForeignKey, "foreign keys", foreignKeysSQL},
		{kindKey, "exclusion constraints", exclusionsSQL},
		{kindIndex, "indexes", indexes},
		{kindStatistics, "statistics", statisticsSQL},
		{kindRule, "rules", rules},
		{kindTrigger, "triggers", triggers},
		{kindPolicy, "policies", policiesSQL},
		{kindTableState, "index uses", indexUsesSQL},
		{kindPublication, "publications", publicationsSQL},
	}
}

// settingsSQL puts off the check of function bodies that are text: they may
// name what is made later.
const settingsSQL = `
	SELECT 0::int8, 1::int8, '', ARRAY['SET check_function_bodies = false']
	WHERE EXISTS (
		SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
		WHERE l.lanname IN ('sql', 'plpgsql') AND p.prokind <> 'a' AND ` + userSchema + `
			AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'))`

const (
	notExtensions = `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = o.tableoid AND e.objid = o.oid AND e.deptype = 'e')`
	selfColumns   = `o.tableoid::int8, o.oid::int8, `
)

const schemasSQL = `
	SELECT ` + selfColumns + `n.nspname, ARRAY['CREATE SCHEMA ' || quote_ident(n.nspname)]
	FROM pg_namespace o JOIN pg_namespace n ON n.oid = o.oid
	WHERE ` + userSchema + ` AND n.nspname <> 'public' AND ` + notExtensions + `
	UNION ALL
	SELECT 0::int8, 2::int8, '', ARRAY['DROP SCHEMA public'] WHERE to_regnamespace('public') IS NULL
	UNION ALL
	SELECT n.tableoid::int8, n.oid::int8, '', ARRAY['DROP SCHEMA public', 'CREATE SCHEMA public'] FROM pg_namespace n WHERE n.nspname = 'public' AND NOT ` + givenPublic

// givenPublic says that n, schema public, is the one that came with the
// database and not one that the client made anew.
const givenPublic = `(n.nspowner = coalesce(to_regrole('pg_database_owner')::oid, n.nspowner))`

const extensionsSQL = `
	SELECT ` + selfColumns + `o.extname, ARRAY['CREATE EXTENSION IF NOT EXISTS ' || quote_ident(o.extname) || ' WITH SCHEMA ' || quote_ident(n.nspname)]
	FROM pg_extension o JOIN pg_namespace n ON n.oid = o.extnamespace
	WHERE o.extname <> 'plpgsql'`

const collationsSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.collname, ARRAY[
		'CREATE COLLATION ' || quote_ident(n.nspname) || '.' || quote_ident(o.collname) || ' (provider = ' || CASE o.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END
		|| CASE WHEN coalesce(j->>'colliculocale', j->>'colllocale') IS NOT NULL THEN ', locale = ' || quote_literal(coalesce(j->>'colliculocale', j->>'colllocale'))
			WHEN o.collcollate = o.collctype THEN ', locale = ' || quote_literal(o.collcollate)
			ELSE ', lc_collate = ' || quote_literal(o.collcollate) || ', lc_ctype = ' || quote_literal(o.collctype) END
		|| CASE WHEN o.collisdeterministic THEN '' ELSE ', deterministic = false' END
		|| coalesce(', rules = ' || quote_literal(coalesce(j->>'collicurules', j->>'collrules')), '') || ')']
	FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace, to_jsonb(o) j
	WHERE ` + userSchema + ` AND ` + notExtensions

const conversionsSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.conname, ARRAY[
		'CREATE ' || CASE WHEN o.condefault THEN 'DEFAULT ' ELSE '' END || 'CONVERSION ' || quote_ident(n.nspname) || '.' || quote_ident(o.conname)
		|| ' FOR ' || quote_literal(pg_encoding_to_char(o.conforencoding)) || ' TO ' || quote_literal(pg_encoding_to_char(o.contoencoding)) || ' FROM ' || o.conproc::regproc]
	FROM pg_conversion o JOIN pg_namespace n ON n.oid = o.connamespace
	WHERE ` + userSchema + ` AND ` + notExtensions

const typesSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.typname, ARRAY[
		'CREATE TYPE ' || format_type(o.oid, NULL) || ' AS ENUM (' || coalesce((SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = o.oid), '') || ')']
	FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace
	WHERE o.typtype = 'e' AND ` + userSchema + ` AND ` + notExtensions + `
	UNION ALL
	SELECT ` + selfColumns + `n.nspname || '.' || o.typname, ARRAY[
		'CREATE TYPE ' || format_type(o.oid, NULL) || ' AS (' || coalesce((
			SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) || coalesce((
				SELECT ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
				FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace, pg_type b
				WHERE co.oid = a.attcollation AND b.oid = a.atttypid AND co.oid <> b.typcollation), ''), ', ' ORDER BY a.attnum)
			FROM pg_attribute a WHERE a.attrelid = o.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')']
	FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace JOIN pg_class c ON c.oid = o.typrelid
	WHERE o.typtype = 'c' AND c.relkind = 'c' AND ` + userSchema + ` AND ` + notExtensions + `
	UNION ALL
	SELECT ` + selfColumns + `n.nspname || '.' || o.typname, ARRAY[
		'CREATE DOMAIN ' || format_type(o.oid, NULL) || ' AS ' || format_type(o.typbasetype, o.typtypmod) || coalesce((
			SELECT ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
			FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace, pg_type b
			WHERE co.oid = o.typcollation AND b.oid = o.typbasetype AND co.oid <> b.typcollation), '')
		|| coalesce(' DEFAULT ' || coalesce(pg_get_expr(o.typdefaultbin, 0), quote_literal(o.typdefault)), '') || CASE WHEN o.typnotnull THEN ' NOT NULL' ELSE '' END
		|| coalesce((SELECT string_agg(' CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname)
			FROM pg_constraint k WHERE k.contypid = o.oid AND k.contype = 'c' AND k.convalidated), '')]
		|| coalesce((SELECT array_agg('ALTER DOMAIN ' || format_type(o.oid, NULL) || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid) ORDER BY k.conname)
			FROM pg_constraint k WHERE k.contypid = o.oid AND k.contype = 'c' AND NOT k.convalidated), '{}')
	FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace
	WHERE o.typtype = 'd' AND ` + userSchema + ` AND ` + notExtensions + `
	UNION ALL
	SELECT ` + selfColumns + `n.nspname || '.' || o.typname, ARRAY[
		'CREATE TYPE ' || format_type(o.oid, NULL) || ' AS RANGE (subtype = ' || format_type(r.rngsubtype, NULL)
		|| coalesce((SELECT ', multirange_type_name = ' || quote_ident(mn.nspname) || '.' || quote_ident(m.typname)
			FROM pg_type m JOIN pg_namespace mn ON mn.oid = m.typnamespace WHERE m.oid = (to_jsonb(r)->>'rngmultitypid')::oid), '')
		|| coalesce((SELECT ', subtype_opclass = ' || quote_ident(cn.nspname) || '.' || quote_ident(oc.opcname)
			FROM pg_opclass oc JOIN pg_namespace cn ON cn.oid = oc.opcnamespace WHERE oc.oid = r.rngsubopc AND NOT oc.opcdefault), '')
		|| coalesce((SELECT ', collation = ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
			FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace, pg_type b
			WHERE co.oid = r.rngcollation AND b.oid = r.rngsubtype AND co.oid <> b.typcollation), '')
		|| CASE WHEN r.rngsubdiff <> 0 THEN ', subtype_diff = ' || r.rngsubdiff::regproc ELSE '' END || ')']
	FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace JOIN pg_range r ON r.rngtypid = o.oid
	WHERE o.typtype = 'r' AND ` + userSchema + ` AND ` + notExtensions

const dictionariesSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.dictname, ARRAY[
		'CREATE TEXT SEARCH DICTIONARY ' || quote_ident(n.nspname) || '.' || quote_ident(o.dictname) || ' (TEMPLATE = '
		|| (SELECT quote_ident(tn.nspname) || '.' || quote_ident(t.tmplname) FROM pg_ts_template t JOIN pg_namespace tn ON tn.oid = t.tmplnamespace WHERE t.oid = o.dicttemplate)
		|| coalesce(', ' || o.dictinitoption, '') || ')']
	FROM pg_ts_dict o JOIN pg_namespace n ON n.oid = o.dictnamespace
	WHERE ` + userSchema + ` AND ` + notExtensions

const configurationsSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.cfgname, ARRAY[
		'CREATE TEXT SEARCH CONFIGURATION ' || quote_ident(n.nspname) || '.' || quote_ident(o.cfgname) || ' (PARSER = '
		|| (SELECT quote_ident(pn.nspname) || '.' || quote_ident(p.prsname) FROM pg_ts_parser p JOIN pg_namespace pn ON pn.oid = p.prsnamespace WHERE p.oid = o.cfgparser) || ')']
		|| coalesce((
			SELECT array_agg('ALTER TEXT SEARCH CONFIGURATION ' || quote_ident(n.nspname) || '.' || quote_ident(o.cfgname) || ' ADD MAPPING FOR ' || quote_ident(m.alias) || ' WITH ' || m.dicts ORDER BY m.maptokentype)
			FROM (
				SELECT m.maptokentype, t.alias, string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno) AS dicts
				FROM pg_ts_config_map m JOIN ts_token_type(o.cfgparser) t ON t.tokid = m.maptokentype
				WHERE m.mapcfg = o.oid GROUP BY m.maptokentype, t.alias) m), '{}')
	FROM pg_ts_config o JOIN pg_namespace n ON n.oid = o.cfgnamespace
	WHERE ` + userSchema + ` AND ` + notExtensions

// sequenceMax and sequenceOptions compare pg_sequence s with its defaults.
const (
	typeMax = `CASE s.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END`
	typeMin = `CASE s.seqtypid WHEN 'int2'::regtype THEN -32768 WHEN 'int4'::regtype THEN -2147483648 ELSE -9223372036854775808 END`

	sequenceMax = `s.seqmax = ` + typeMax

	sequenceOptions = `concat_ws(' ',
		CASE WHEN s.seqstart <> CASE WHEN s.seqincrement > 0 THEN s.seqmin ELSE s.seqmax END THEN 'START WITH ' || s.seqstart END,
		CASE WHEN s.seqincrement <> 1 THEN 'INCREMENT BY ' || s.seqincrement END,
		CASE WHEN s.seqmin <> CASE WHEN s.seqincrement > 0 THEN 1 ELSE ` + typeMin + ` END THEN 'MINVALUE ' || s.seqmin END,
		CASE WHEN s.seqmax <> CASE WHEN s.seqincrement > 0 THEN ` + typeMax + ` ELSE -1 END THEN 'MAXVALUE ' || s.seqmax END,
		CASE WHEN s.seqcache <> 1 THEN 'CACHE ' || s.seqcache END,
		CASE WHEN s.seqcycle THEN 'CYCLE' END)`
)

const freeSequencesSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.relname, ARRAY[rtrim(
		'CREATE ' || CASE o.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END || 'SEQUENCE ' || o.oid::regclass
		|| CASE WHEN s.seqtypid <> 'int8'::regtype THEN ' AS ' || format_type(s.seqtypid, NULL) ELSE '' END || ' ' || ` + sequenceOptions + `)]
	FROM pg_class o JOIN pg_sequence s ON s.seqrelid = o.oid JOIN pg_namespace n ON n.oid = o.relnamespace
	WHERE o.relpersistence <> 't' AND ` + userSchema + ` AND ` + notExtensions + `
		AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = o.tableoid AND i.objid = o.oid AND i.deptype = 'i')`

const viewsSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.relname, ARRAY[
		'CREATE ' || CASE o.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END || 'VIEW ' || o.oid::regclass
		|| coalesce((SELECT ' WITH (' || string_agg(split_part(r, '=', 1) || '=' || quote_literal(substr(r, strpos(r, '=') + 1)), ', ') || ')' FROM unnest(o.reloptions) r), '')
		|| ' AS' || rtrim(E'\n' || pg_get_viewdef(o.oid), ';')
		|| CASE WHEN o.relkind = 'm' AND NOT o.relispopulated THEN E'\nWITH NO DATA' ELSE '' END]
		|| coalesce((SELECT array_agg('ALTER TABLE ONLY ' || o.oid::regclass || ' ALTER COLUMN ' || quote_ident(a.attname) || ' SET STATISTICS ' || a.attstattarget ORDER BY a.attnum)
			FROM pg_attribute a WHERE a.attrelid = o.oid AND a.attnum > 0 AND a.attstattarget >= 0 AND o.relkind = 'm'), '{}')
	FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
	WHERE o.relkind IN ('v', 'm') AND o.relpersistence <> 't' AND ` + userSchema + ` AND ` + notExtensions

const viewDefaultsSQL = `
	SELECT o.tableoid::int8, o.oid::int8, n.nspname || '.' || c.relname || '.' || a.attname, ARRAY[
		'ALTER TABLE ONLY ' || c.oid::regclass || ' ALTER COLUMN ' || quote_ident(a.attname) || ' SET DEFAULT ' || pg_get_expr(o.adbin, o.adrelid)]
	FROM pg_attrdef o JOIN pg_class c ON c.oid = o.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_attribute a ON a.attrelid = o.adrelid AND a.attnum = o.adnum
	WHERE c.relkind = 'v' AND ` + userSchema
