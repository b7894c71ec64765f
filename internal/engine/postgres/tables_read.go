package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The catalogs' own codes.
const (
	relationTable       = "r"
	relationPartitioned = "p"

	identityAlways = "a"

	primaryKey = "p"
	uniqueKey  = "u"
	checkRule  = "c"
)

// relation is a table, partitioned or not.
type relation struct {
	OID         int64
	Name        string // quoted, and qualified where search_path does not find it
	Plain       string // relname
	Schema      string
	Kind        string
	Persistence string
	Partition   bool
	Bound       *string  // FOR VALUES …
	Parents     []string // quoted; of a partition the one partitioned table
	Key         *string  // of a partitioned table: "RANGE (at)"
	OfType      *string
	Method      *string  // access method, where it is not heap
	Options     []string // "fillfactor=70", "toast.autovacuum_enabled=off"
	RowSecurity bool
	ForceRLS    bool
	Replica     string // identity: d, n, f, i

	columns     []attribute
	constraints []constraint
}

// standsAlone says that no other table shares its columns and keys.
func (r *relation) standsAlone() bool {
	return r.Kind == relationTable && len(r.Parents) == 0 && r.OfType == nil
}

// attribute is a column.
type attribute struct {
	Table      int64
	Plain      string // attname
	Name       string // quoted
	Type       string // as format_type writes it
	Builtin    bool
	NotNull    bool
	Local      bool
	Collation  *string
	Generated  bool
	Identity   string // a, d or empty
	Default    *string
	DefaultOID *int64
	Calls      bool // Default calls a function of the user's
	Storage    *string
	Compress   *string
	Statistics *int32
	Options    []string
	InPrimary  bool

	// NOT NULL is a constraint with a name since PostgreSQL 18; before it, and
	// where there is none, Rule is nil.
	Rule          *string
	RuleLocal     bool // not only a parent's
	RuleNoInherit bool
	RuleValid     bool

	Sequence *sequence // owned by the column
}

// sequence is one that a column owns.
type sequence struct {
	Table    int64
	Column   string
	OID      int64
	Name     string
	Plain    string
	Schema   string
	Internal bool   // of an identity column
	Default  bool   // counts from 1 by 1 to the end of its type
	Options  string // those that are not the default
	Type     string
	Logged   string
}

// constraint is a key or a check.
type constraint struct {
	OID     int64
	Table   int64
	Plain   string
	Name    string
	Type    string
	Def     string
	Columns []string // quoted
	Plains  []string
	Valid   bool
	Local   bool
	Calls   bool   // calls a function of the user's
	Index   string // quoted name of its index
	Extra   []string
}

// userSchema keeps the client's schemas apart from the server's and ours.
const userSchema = `(n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')`

const relationsSQL = `
	SELECT c.oid::int8 AS oid, c.oid::regclass::text AS name, c.relname AS plain, n.nspname AS schema,
		c.relkind::text AS kind, c.relpersistence::text AS persistence, c.relispartition AS partition,
		pg_get_expr(c.relpartbound, c.oid) AS bound,
		(SELECT array_agg(i.inhparent::regclass::text ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid) AS parents,
		pg_get_partkeydef(c.oid) AS key,
		CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS of_type,
		(SELECT quote_ident(amname) FROM pg_am WHERE pg_am.oid = c.relam AND amname <> 'heap') AS method,
		c.reloptions || (SELECT array_agg('toast.' || o) FROM pg_class t, unnest(t.reloptions) o WHERE t.oid = c.reltoastrelid) AS options,
		c.relrowsecurity AS row_security, c.relforcerowsecurity AS force_rls, c.relreplident::text AS replica
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ` + userSchema + `
		AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
	ORDER BY n.nspname, c.relname`

// callsUser says whether object (class, id) depends on a function that is
// neither built in nor an extension's.
const callsUser = `EXISTS (
		SELECT FROM pg_depend f WHERE f.classid = '%s'::regclass AND f.objid = %s AND f.refclassid = 'pg_proc'::regclass AND f.refobjid >= 16384
			AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = f.refclassid AND e.objid = f.refobjid AND e.deptype = 'e'))`

// partitionsShareIdentity: since version 17 a partition has its table's identity
// columns from ATTACH PARTITION, and is refused there with ones of its own.
const partitionsShareIdentity = `current_setting('server_version_num')::integer >= 170000`

const attributesSQL = `
	SELECT a.attrelid::int8 AS table, a.attname AS plain, quote_ident(a.attname) AS name,
		format_type(a.atttypid, a.atttypmod) AS type, t.typnamespace = 'pg_catalog'::regnamespace AS builtin,
		a.attnotnull AS not_null, a.attislocal OR c.relispartition AS local,
		CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0 THEN
			(SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation)
		END AS collation,
		a.attgenerated <> '' AS generated, CASE WHEN c.relispartition AND ` + partitionsShareIdentity + ` THEN '' ELSE a.attidentity::text END AS identity,
		pg_get_expr(d.adbin, d.adrelid) AS default, d.oid::int8 AS default_oid, %s AS calls,
		CASE WHEN a.attstorage <> t.typstorage THEN
			CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
		END AS storage,
		CASE to_jsonb(a)->>'attcompression' WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compress,
		CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::int4 END AS statistics,
		a.attoptions AS options,
		EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS in_primary,
		k.conname AS rule, coalesce(k.conislocal OR c.relispartition, false) AS rule_local,
		coalesce(k.connoinherit, false) AS rule_no_inherit, coalesce(k.convalidated, false) AS rule_valid
	FROM pg_attribute a
	JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_type t ON t.oid = a.atttypid
	LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey[1] = a.attnum
	WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND a.attnum > 0 AND NOT a.attisdropped AND ` + userSchema + `
	ORDER BY a.attrelid, a.attnum`

const sequencesSQL = `
	SELECT d.refobjid::int8 AS table, a.attname AS column, c.oid::int8 AS oid, c.oid::regclass::text AS name, c.relname AS plain,
		n.nspname AS schema, d.deptype = 'i' AS internal,
		s.seqincrement = 1 AND s.seqmin = 1 AND s.seqstart = 1 AND s.seqcache = 1 AND NOT s.seqcycle AND ` + sequenceMax + ` AS default,
		` + sequenceOptions + ` AS options, format_type(s.seqtypid, NULL) AS type, c.relpersistence::text AS logged
	FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
		AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
	JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
	WHERE c.relpersistence <> 't' AND ` + userSchema

const constraintsSQL = `
	SELECT k.oid::int8 AS oid, k.conrelid::int8 AS table, k.conname AS plain, quote_ident(k.conname) AS name, k.contype::text AS type,
		pg_get_constraintdef(k.oid) AS def, q.columns, q.plains, k.convalidated AS valid, k.conislocal OR (c.relispartition AND k.contype = 'c') AS local,
		%s AS calls, coalesce(nullif(k.conindid, 0)::regclass::text, '') AS index,
		%s AS extra
	FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
	LATERAL (
		SELECT coalesce(array_agg(quote_ident(a.attname) ORDER BY u.ord), '{}') AS columns, coalesce(array_agg(a.attname::text ORDER BY u.ord), '{}') AS plains
		FROM unnest(k.conkey) WITH ORDINALITY u (num, ord) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
	) q
	WHERE k.contype IN ('p', 'u', 'c') AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ` + userSchema + `
	ORDER BY k.contype = 'c', k.contype, k.conname`

// readRelations reads the tables with all that belongs to them alone.
func readRelations(ctx context.Context, tx pgx.Tx) ([]*relation, error) {
	relations, err := collect[relation](ctx, tx, "tables", relationsSQL)
	if err != nil {
		return nil, err
	}
	columns, err := collect[attribute](ctx, tx, "columns", fmt.Sprintf(attributesSQL, fmt.Sprintf(callsUser, "pg_attrdef", "d.oid")))
	if err != nil {
		return nil, err
	}
	sequences, err := collect[sequence](ctx, tx, "sequences of columns", sequencesSQL)
	if err != nil {
		return nil, err
	}
	constraints, err := collect[constraint](ctx, tx, "constraints", fmt.Sprintf(constraintsSQL, fmt.Sprintf(callsUser, "pg_constraint", "k.oid"), fmt.Sprintf(indexExtras, "k.conindid")))
	if err != nil {
		return nil, err
	}

	byOID := map[int64]*relation{}
	tables := make([]*relation, len(relations))
	for i := range relations {
		tables[i] = &relations[i]
		byOID[relations[i].OID] = tables[i]
	}
	type columnOf struct {
		table  int64
		column string
	}
	owned := map[columnOf]*sequence{}
	for i := range sequences {
		owned[columnOf{sequences[i].Table, sequences[i].Column}] = &sequences[i]
	}
	for _, c := range columns {
		c.Sequence = owned[columnOf{c.Table, c.Plain}]
		if t := byOID[c.Table]; t != nil {
			t.columns = append(t.columns, c)
		}
	}
	for _, k := range constraints {
		if t := byOID[k.Table]; t != nil {
			t.constraints = append(t.constraints, k)
		}
	}
	return tables, nil
}

// collect reads rows whose columns are named after T's fields.
func collect[T any](ctx context.Context, tx pgx.Tx, what, sql string) ([]T, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	read, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[T])
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return read, nil
}
