package postgres

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

//go:embed tenant.sql
var tenantSQL string

// owner is t with the role that owns its database as its Role.
func owner(t workspace.Target) workspace.Target {
	if t.Owner != "" {
		t.Role, t.Password = t.Owner, t.OwnerPassword
		t.Owner, t.OwnerPassword = "", ""
	}
	return t
}

// letIn lets the clients' role of a tenant into its database, which has a mark of
// the versions that it has from then on. conn is the admin's, inside of it.
func letIn(ctx context.Context, conn *pgx.Conn, t workspace.Target) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// A schema with the reserved prefix needs the first.
		script := strings.Join([]string{
			"SET LOCAL allow_system_table_mods = on",
			tenantSQL + "GRANT USAGE ON SCHEMA pg_tenantsdb TO " + quote(t.Owner),
			"GRANT SELECT, UPDATE ON pg_tenantsdb.deployed TO " + quote(t.Owner),
			"GRANT CONNECT, TEMPORARY ON DATABASE " + quote(t.Database) + " TO " + quote(t.Role),
		}, ";\n")
		if _, err := tx.Conn().PgConn().Exec(ctx, script).ReadAll(); err != nil {
			return err
		}
		return grantRows(ctx, tx, t)
	})
	if err != nil {
		return fmt.Errorf("let %s into database %s: %w", t.Role, t.Database, err)
	}
	return nil
}

// grantRows gives the clients' role what it lacks of its rights on all that the
// owner has in the database now, and takes from everyone what would let a client
// change the schema. What an extension's script made as the superuser keeps the
// rights that the script gave.
func grantRows(ctx context.Context, tx pgx.Tx, t workspace.Target) error {
	statements, err := names(ctx, tx, lackingSQL, t.Owner, t.Role)
	if err != nil {
		return fmt.Errorf("find what %s lacks: %w", t.Role, err)
	}
	if len(statements) == 0 {
		return nil
	}
	if _, err := tx.Conn().PgConn().Exec(ctx, strings.Join(statements, ";\n")).ReadAll(); err != nil {
		return fmt.Errorf("grant %s its rights: %w", t.Role, err)
	}
	return nil
}

// lackingSQL gives the statements of grantRows, for the owner $1 and the role $2.
// It compares access lists, of which the catalog's rows are enough: to ask for
// privileges would look up each object.
const lackingSQL = ownedSQL + `
	SELECT 'REVOKE CREATE ON SCHEMA ' || quote_ident(s.nspname) || ' FROM PUBLIC'
	FROM space s, pg_catalog.aclexplode(s.nspacl) a
	WHERE a.grantee = 0 AND a.privilege_type = 'CREATE' AND pg_catalog.pg_has_role($1, s.nspowner, 'USAGE')
	UNION ALL
	SELECT DISTINCT 'REVOKE TRIGGER, REFERENCES ON TABLE ' || r.name || ' FROM PUBLIC'
	FROM relation r, pg_catalog.aclexplode(r.relacl) a
	WHERE r.relkind <> 'S' AND a.grantee = 0 AND a.privilege_type IN ('TRIGGER', 'REFERENCES')
	UNION ALL
	` + lackingUsageSQL + `
	UNION ALL
	SELECT 'GRANT USAGE, SELECT, UPDATE ON SEQUENCE ' || r.name || ' TO ' || role.name
	FROM relation r, role
	WHERE r.relkind = 'S' AND (` + holdsSequence + `) IS NOT TRUE
	UNION ALL
	SELECT 'GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLE ' || r.name || ' TO ' || role.name
	FROM relation r, role
	WHERE r.relkind <> 'S' AND (` + holdsRows + `) IS NOT TRUE`

// ownedSQL begins a statement with the role $2, and with the schemas and relations
// of the owner $1.
const ownedSQL = `
	WITH role (oid, name) AS (
		SELECT oid, quote_ident(rolname) FROM pg_catalog.pg_roles WHERE rolname = $2
	), space AS (
		SELECT n.oid, n.nspname, n.nspacl, n.nspowner FROM pg_catalog.pg_namespace n
		WHERE ` + userSchema + `
	), relation AS (
		SELECT c.relkind, c.relacl, c.relowner, pg_catalog.format('%I.%I', s.nspname, c.relname) AS name
		FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_catalog.pg_has_role($1, c.relowner, 'USAGE')
	)`

// lackingUsageSQL gives the statements that let the role into the owner's schemas.
const lackingUsageSQL = `SELECT 'GRANT USAGE ON SCHEMA ' || quote_ident(s.nspname) || ' TO ' || role.name
	FROM space s, role
	WHERE pg_catalog.pg_has_role($1, s.nspowner, 'USAGE')
		AND (s.nspacl @> pg_catalog.makeaclitem(role.oid, s.nspowner, 'USAGE', false)) IS NOT TRUE`

// holdsSequence and holdsRows say whether relation r's access list gives role its
// rights.
const (
	holdsSequence = holds + "'USAGE', false) AND " + holds + "'SELECT', false) AND " + holds + "'UPDATE', false)"
	holdsRows     = holds + "'SELECT', false) AND " + holds + "'INSERT', false) AND " + holds + "'UPDATE', false) AND " +
		holds + "'DELETE', false) AND " + holds + "'TRUNCATE', false)"

	holds = "r.relacl @> pg_catalog.makeaclitem(role.oid, r.relowner, "
)
