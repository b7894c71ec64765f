package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// backslashed are statements of a session in which a backslash escapes what
// follows it in a plain string. Each is one change, in these words.
var backslashed = []string{
	`CREATE TABLE plain (a text DEFAULT 'it\'s; one', b text DEFAULT 'two\nlines' CHECK (b <> 'x\\y'), id serial)`,
	`CREATE TABLE national (a text DEFAULT N'it\'s', b text DEFAULT E'\t\'', c text DEFAULT $$a\n'$$, d text DEFAULT 'con\''
		'tinued\\')`,
	`ALTER TABLE plain ADD COLUMN c text DEFAULT 'back\\slash', ALTER COLUMN b SET DEFAULT '\''`,
	`CREATE FUNCTION greet(text) RETURNS text LANGUAGE sql AS 'SELECT \'it\\\'s; \' || $1'`,
	`CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a := \'a\\nb\'; RETURN NEW; END'`,
	`CREATE TRIGGER tr BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION tf('arg\'1', '\\')`,
	`CREATE VIEW seen AS SELECT 'a\tb' AS c, 'it\'s' AS "d\e"`,
	`COMMENT ON VIEW seen IS 'one\ntwo; three\'s'`,
	`CREATE TYPE mood AS ENUM ('a\'b', 'c\\d')`,
	`ALTER TYPE mood ADD VALUE '\x41' BEFORE 'c\\d'`,
	`CREATE DOMAIN digits AS text CHECK (VALUE ~ '^\\d+$')`,
	`CREATE INDEX by_quote ON plain ((a || 'x\'y')) WHERE b <> '\\'`,
	`CREATE RULE shout AS ON INSERT TO plain DO ALSO (SELECT 'a\';b'; NOTIFY n, 'it\'s')`,
	`ALTER TABLE plain ALTER COLUMN a TYPE varchar(20) USING a || '\''`,
	`COMMENT ON COLUMN national.a IS 'last\\'`,
}

// TestBackslashesMeanWhatTheyMeantToTheSession: each statement is found in its
// message, known, and replayed as it was read.
func TestBackslashesMeanWhatTheyMeantToTheSession(t *testing.T) {
	for name, send := range map[string]func(s session){
		"one by one": func(s session) {
			for _, sql := range backslashed {
				s.run(sql)
			}
		},
		"in one message": func(s session) {
			all := ""
			for _, sql := range backslashed {
				all += sql + `; SELECT '\'; DROP TABLE plain; -- '; `
			}
			s.run(all)
		},
		"extended": func(s session) {
			for _, sql := range backslashed {
				if _, err := s.conn.Exec(t.Context(), sql, pgx.QueryExecModeDescribeExec); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			target := newTracked(t, e)
			s := newSession(t, target)
			s.run("SET standard_conforming_strings = off; SET backslash_quote = on")
			send(s)
			got := changes(t, e, target)
			wantStatements(t, got, backslashed...)
			for _, c := range got {
				if c.Object == "" || c.ObjectType == "" {
					t.Errorf("%s: not known: %+v", c.Statement, c)
				}
			}
			wantReplay(t, e, target, got)
		})
	}
}

// TestRewrittenStatementsKeepTheirBackslashes: what is not recorded as it was sent
// has strings that mean the same in every session.
func TestRewrittenStatementsKeepTheirBackslashes(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("CREATE TABLE twice AS VALUES (1), (1)")
	s.run("SET standard_conforming_strings = off")
	s.run("CREATE TABLE t (k int)")
	s.run(`CREATE SCHEMA app AUTHORIZATION ` + target.Role + ` CREATE TABLE x (a text DEFAULT 'it\'s', b text DEFAULT N'it\'s')`)
	// Names that no record has are in the way.
	s.fail("CREATE UNIQUE INDEX CONCURRENTLY t_pkey ON twice (column1)")
	s.fail("CREATE UNIQUE INDEX CONCURRENTLY t_expr_idx ON twice (column1)")
	s.run(`ALTER TABLE t ADD b text DEFAULT 'it\'s '
		'\\', ADD PRIMARY KEY (k)`)
	s.run(`CREATE INDEX ON t ((b || 'it\'s'))`)
	s.run(`ALTER TABLE t ADD c text DEFAULT 'it\'s'`)
	got := changes(t, e, target)
	wantStatements(t, got[1:], "CREATE TABLE t (k int)",
		`CREATE SCHEMA app AUTHORIZATION CURRENT_USER CREATE TABLE x (a text DEFAULT E'it\'s', b text DEFAULT NCHAR E'it\'s')`,
		`ALTER TABLE t ADD b text DEFAULT E'it\'s '
		'\\', ADD CONSTRAINT t_pkey1 PRIMARY KEY (k)`,
		`CREATE INDEX t_expr_idx1 ON t ((b || E'it\'s'))`,
		`ALTER TABLE t ADD c text DEFAULT 'it\'s'`)
	wantReplay(t, e, target, got)
}
