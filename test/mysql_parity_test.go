package test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// mysqlPlayers are the ways to send a script without the command line client.
// The last prepares every statement that the server can prepare.
var mysqlPlayers = []struct {
	name string
	play func(t testing.TB, l mysqlLogin, statements []string) []string
}{
	{"text", func(t testing.TB, l mysqlLogin, statements []string) []string {
		return playMySQL(t, l, statements, false)
	}},
	{"prepared", func(t testing.TB, l mysqlLogin, statements []string) []string {
		return playMySQL(t, l, statements, true)
	}},
	{"at once", func(t testing.TB, l mysqlLogin, statements []string) []string {
		return playMySQL(t, l, []string{strings.Join(statements, ";\n")}, false)
	}},
}

// TestMySQLParity holds the proxy to what the server itself says: each script
// of testdata/mysql/parity, by each way to send it, gives the same rows, types,
// counts, warnings and errors through the proxy as past it.
func TestMySQLParity(t *testing.T) {
	for i, path := range scripts(t, "testdata/mysql/parity/*.sql") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		script := string(content)
		t.Run(strings.TrimSuffix(filepath.Base(path), ".sql"), func(t *testing.T) {
			t.Run("client", func(t *testing.T) {
				p := sameAsDirectMySQL(t, fmt.Sprintf("my-parity-%d", i))
				wantEqual(t, p.normal(clientOutput(t, p.proxied, script)), p.normal(clientOutput(t, p.direct, script)))
			})
			for _, way := range mysqlPlayers {
				t.Run(way.name, func(t *testing.T) {
					p := sameAsDirectMySQL(t, fmt.Sprintf("my-parity-%d", i))
					proxied := strings.Join(way.play(t, p.proxied, splitMySQL(script)), "\n")
					direct := strings.Join(way.play(t, p.direct, splitMySQL(script)), "\n")
					wantEqual(t, p.normal(proxied), p.normal(direct))
				})
			}
		})
	}
}

// mysqlPair is a workspace and a plain database that should be told apart by
// their names alone.
type mysqlPair struct {
	proxied, direct mysqlLogin
	names           *strings.Replacer
}

// sameAsDirectMySQL makes a tenant-mode workspace and its plain counterpart: on
// the same server, with names of the same length.
func sameAsDirectMySQL(t testing.TB, name string) mysqlPair {
	t.Helper()
	d := shared.mysqlDatabase(t, name, "tenant")
	l := shared.mysqlAdmin(t)
	admin := l.connect(t)
	role := d.role(t)
	l.user, l.password, l.database = "q"+role[1:], "direct", "q"+d.name[1:]
	change(t, admin, "CREATE DATABASE `"+l.database+"`")
	t.Cleanup(func() { change(t, admin, "DROP DATABASE `"+l.database+"`") })
	change(t, admin, "CREATE USER `"+l.user+"`@localhost IDENTIFIED BY 'direct'")
	t.Cleanup(func() { change(t, admin, "DROP USER `"+l.user+"`@localhost") })
	pattern := strings.ReplaceAll(l.database, "_", `\_`)
	change(t, admin, "GRANT ALL ON `"+pattern+"`.* TO `"+l.user+"`@localhost")
	return mysqlPair{d.login(), l, strings.NewReplacer(l.user, role, l.database, d.name)}
}

var mysqlTimes = regexp.MustCompile(`\(?[0-9.]+ sec\)?`)

// normal takes out of text what must differ: names and times.
func (p mysqlPair) normal(text string) string {
	return mysqlTimes.ReplaceAllString(p.names.Replace(text), "<time>")
}

// clientOutput is what the command line client shows of a script, with the
// types of columns and the warnings.
func clientOutput(t testing.TB, l mysqlLogin, script string) string {
	t.Helper()
	s := l.try(t, script, "mariadb", "-vvv", "--table", "--force", "--show-warnings", "--column-type-info", "--comments", "--local-infile=1", l.database)
	return s.stdout + s.stderr
}

// splitMySQL gives a script's statements. One ends with its delimiter at the
// end of a line.
func splitMySQL(script string) (statements []string) {
	delimiter := ";"
	var lines []string
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if word, ok := strings.CutPrefix(line, "DELIMITER "); ok {
			delimiter = word
			continue
		}
		if strings.HasPrefix(line, "-- ") || line == "" && lines == nil {
			continue
		}
		text, ended := strings.CutSuffix(line, delimiter)
		lines = append(lines, text)
		if ended {
			statements, lines = append(statements, strings.Join(lines, "\n")), nil
		}
	}
	return statements
}

func TestMySQLScriptsAreSplitAsTheClientDoes(t *testing.T) {
	got := splitMySQL("-- what it is\n\nSELECT 1;\nSELECT\n\t';'\nFROM t;\nDELIMITER //\nBEGIN\n\tx;\nEND//\nDELIMITER ;\nSELECT 2;\n")
	want := []string{"SELECT 1", "SELECT\n\t';'\nFROM t", "BEGIN\n\tx;\nEND", "SELECT 2"}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// playMySQL sends each statement and writes down all that came back.
func playMySQL(t testing.TB, l mysqlLogin, statements []string, prepared bool) (seen []string) {
	t.Helper()
	conn := l.connect(t, multiStatements)
	for _, statement := range statements {
		seen = append(seen, "> "+statement)
		seen = append(seen, playOne(conn, statement, prepared)...)
		if warnings, err := column(conn, "SHOW WARNINGS"); err != nil || len(warnings) > 0 {
			seen = append(seen, playOne(conn, "SHOW WARNINGS", false)...)
		}
	}
	return seen
}

// playOne is one statement: through a prepared one where that is asked for and
// the server has it.
func playOne(conn *sql.Conn, statement string, prepared bool) []string {
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	defer done()
	query := func() (*sql.Rows, error) { return conn.QueryContext(ctx, statement) }
	if prepared {
		s, err := conn.PrepareContext(ctx, statement)
		if told, ok := errors.AsType[*mysql.MySQLError](err); err != nil && (!ok || told.Number != notPreparable) {
			return []string{"prepare: " + err.Error()}
		}
		if err == nil {
			defer s.Close()
			query = func() (*sql.Rows, error) { return s.QueryContext(ctx) }
		}
	}
	rows, err := query()
	if err != nil {
		return []string{err.Error()}
	}
	defer rows.Close()
	var seen []string
	for more := true; more; more = rows.NextResultSet() {
		result, err := playResult(rows)
		seen = append(seen, result...)
		if err != nil {
			return append(seen, err.Error())
		}
	}
	if err := rows.Err(); err != nil {
		seen = append(seen, err.Error())
	}
	return seen
}

// notPreparable is ER_UNSUPPORTED_PS.
const notPreparable = 1295

// playResult is one result: its columns with their types, and its rows.
func playResult(rows *sql.Rows) (seen []string, err error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	for _, c := range types {
		length, hasLength := c.Length()
		precision, scale, decimal := c.DecimalSize()
		nullable, known := c.Nullable()
		seen = append(seen, fmt.Sprintf("%s %s %d %v %d,%d %v %v %v", c.Name(), c.DatabaseTypeName(), length, hasLength, precision, scale, decimal, nullable, known))
	}
	for rows.Next() {
		values := make([]sql.RawBytes, len(types))
		into := make([]any, len(types))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return seen, err
		}
		var line strings.Builder
		for _, v := range values {
			if v == nil {
				line.WriteString("NULL | ")
				continue
			}
			fmt.Fprintf(&line, "%q | ", string(v))
		}
		seen = append(seen, line.String())
	}
	return seen, nil
}
