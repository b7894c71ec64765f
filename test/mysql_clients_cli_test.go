package test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMySQLClientVerifiesTheServer(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-cli-tls", "control").login()
	if got := l.client(t, "SELECT 1"); got != "1" {
		t.Errorf("with the certificate verified: got %q", got)
	}
	contains(t, "status", l.client(t, "SHOW SESSION STATUS LIKE 'Ssl_version'"), "Ssl_version")
	t.Run("not one of another authority", func(t *testing.T) {
		other := l
		other.caFile = filepath.Join(t.TempDir(), "other.crt")
		writeAuthority(t, other.caFile)
		contains(t, "another authority", other.try(t, "", "mariadb", "-e", "SELECT 1").stderr, "certificate")
	})
	t.Run("not without TLS", func(t *testing.T) {
		plain := l
		plain.caFile = ""
		contains(t, "without TLS", plain.try(t, "", "mariadb", "-e", "SELECT 1").stderr, "ERROR 3159 (HY000)", "TLS")
	})
}

func TestMySQLClientIsToldOfAWrongLogin(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-cli-login", "control").login()
	wrong, without, unknown, server, stranger := l, l, l, l, l
	wrong.password += "x"
	without.password = ""
	unknown.database = "nowhere_workspace"
	server.database = "mysql"
	stranger.user = "tdb_00000000"
	var first string
	for what, bad := range map[string]mysqlLogin{
		"wrong password": wrong, "no password": without, "unknown database": unknown, "the server's database": server, "unknown user": stranger,
	} {
		s := bad.try(t, "", "mariadb", "--execute=SELECT 1", bad.database)
		contains(t, what, s.stderr, "ERROR 1045 (28000)", "Access denied for user '"+bad.user+"'")
		told := strings.ReplaceAll(s.stderr, bad.user, l.user)
		if first == "" {
			first = told
		}
		if told != first {
			t.Errorf("%s can be told apart: %q and %q", what, told, first)
		}
	}
}

// TestMySQLClientAnswersItsOwnCommands are those that the client sends commands
// of the protocol for, or several statements.
func TestMySQLClientAnswersItsOwnCommands(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-cli-commands", "tenant").login()
	file := filepath.Join(t.TempDir(), "script.sql")
	if err := os.WriteFile(file, []byte("CREATE TABLE sourced (id INT);\nINSERT INTO sourced VALUES (41);\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := l.client(t, `
\s
SELECT 'first' AS a; SELECT 'second' AS b;
source `+file+`
SELECT id + 1 FROM sourced;
DELIMITER //
CREATE PROCEDURE both_ways(IN n INT)
BEGIN
	SELECT n; -- with a ; inside
	SELECT n + 1;
END//
DELIMITER ;
CALL both_ways(7);
SELECT 1; SELECT 2;
\u `+l.database+`
SELECT 'after use';
\W
SELECT 1 / 0;
\C latin1
SELECT CONCAT('signs: ', CHAR_LENGTH('ü'));
\C utf8mb4
SELECT CONCAT('signs: ', CHAR_LENGTH('ü'));
`, "--comments")
	contains(t, `\s`, out, "Current database:\t"+l.database, "Cipher in use is TLS_", "Threads: ", "Uptime:")
	contains(t, "statements", out, "first", "second", "\n42\n", "\n7\n", "\n8\n", "after use", "Division by 0", "signs: 2", "signs: 1")

	// Batches of statements in one message.
	if got := l.client(t, "", "--execute=SELECT 1; SELECT 2; DO 1; SELECT 3"); got != "1\n2\n3" {
		t.Errorf("several statements: got %q", got)
	}
	s := l.try(t, "SELECT 1;\nSELECT nothing;\nSELECT 2;\n", "mariadb", "--batch", "--skip-column-names", "--force", l.database)
	if s.stdout != "1\n2\n" || !strings.Contains(s.stderr, "ERROR 1054 (42S22) at line 2") {
		t.Errorf("after an error with --force: got %q %q", s.stdout, s.stderr)
	}
}

// TestMySQLClientMayAskForCompression: it is not offered, and the client goes
// on without.
func TestMySQLClientMayAskForCompression(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-cli-compress", "control").login()
	got := l.client(t, "SELECT REPEAT('x', 100000); SHOW SESSION STATUS LIKE 'Compression'", "--compress")
	if !strings.HasSuffix(got, "Compression\tOFF") || len(got) < 100_000 {
		t.Errorf("got %d bytes, %q at their end", len(got), got[max(0, len(got)-40):])
	}
}

// TestMySQLClientLoadsFiles moves a table through files of the client.
func TestMySQLClientLoadsFiles(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-cli-load", "tenant")
	d.withoutLimits(t)
	l := d.login()
	content := strings.Repeat("1\ta \\\"quoted\\\"\n2\tünïcode\n", 40_000)
	file := filepath.Join(t.TempDir(), "in.tsv")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	out := l.client(t, `CREATE TABLE t (id INT, v TEXT);
LOAD DATA LOCAL INFILE '`+file+`' INTO TABLE t CHARACTER SET utf8mb4;
SELECT COUNT(*), SUM(CHAR_LENGTH(v)) FROM t;
LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE t;`, "--local-infile=1", "--force")
	contains(t, "LOAD DATA", out, "80000\t680000")
	s := l.try(t, "LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE t; SELECT 'still here';", "mariadb", "--local-infile=1", "--force", l.database)
	contains(t, "a file that is not there", s.stderr, "/nowhere/at/all")
	contains(t, "afterwards", s.stdout, "still here")
	s = l.try(t, "LOAD DATA INFILE '"+file+"' INTO TABLE t;", "mariadb", l.database)
	contains(t, "a file of the server", s.stderr, "ERROR 1045 (28000)")
	if !d.isMariaDB(t) {
		return // mariadb-import sets what takes a privilege on MySQL
	}
	s = l.try(t, "", "mariadb-import", "--local", "--ignore-lines=79999", "--replace", l.database, renamed(t, file, "t.txt"))
	contains(t, "mariadb-import", s.stdout+s.stderr, "Records: 1")
}

// renamed is the file under another name.
func renamed(t testing.TB, file, name string) string {
	t.Helper()
	link := filepath.Join(filepath.Dir(file), name)
	if err := os.Link(file, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// TestMySQLClientInterrupts presses Ctrl-C in a client on a terminal, which then
// goes on with the same session.
func TestMySQLClientInterrupts(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-cli-cancel", "control")
	l := d.login()
	program := l.command(t, "mariadb", l.database)
	cmd := l.command(t, "script")
	cmd.Args = []string{"script", "-qfc", quoted(program.Args), "/dev/null"}
	cmd.Env = append(cmd.Env, "TERM=dumb", "SHELL=/bin/sh")
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var screen syncBuffer
	cmd.Stdout = &screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows := func(text string) {
		t.Helper()
		eventually(t, "the terminal shows "+text, func() bool { return strings.Contains(screen.String(), text) })
	}
	press := func(text string) {
		t.Helper()
		if _, err := io.WriteString(keys, text); err != nil {
			t.Fatal(err)
		}
	}
	press("SET @mine = 'still here';\n")
	shows("Query OK")
	press("SELECT SLEEP(60), 'slept';\n")
	other := l.connect(t)
	running := func() bool {
		found, err := column(other, "SELECT INFO FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP(60)%'")
		return err == nil && len(found) == 1
	}
	eventually(t, "the statement runs", running)
	pressed := time.Now()
	press("\x03")
	shows("Ctrl-C -- query killed")
	eventually(t, "the statement ended", func() bool { return !running() })
	if took := time.Since(pressed); took > 40*time.Second {
		t.Errorf("the statement ended %v after Ctrl-C", took)
	}
	press("SELECT CONCAT('and ', @mine) AS words;\n")
	shows("and still here")
	press("\\q\n")
	if err := cmd.Wait(); err != nil {
		t.Errorf("the client ended with %v:\n%s", err, screen.String())
	}
}

// quoted is a command for a shell.
func quoted(args []string) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(parts, " ")
}

// TestMySQLToolsOfTheCommandLine are the small programs beside the client.
func TestMySQLToolsOfTheCommandLine(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-cli-tools", "control").login()
	l.client(t, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
	contains(t, "mariadb-admin ping", l.run(t, "", "mariadb-admin", "ping"), "mysqld is alive")
	contains(t, "mariadb-admin status", l.run(t, "", "mariadb-admin", "status"), "Uptime")
	contains(t, "mariadb-admin processlist", l.run(t, "", "mariadb-admin", "processlist"), l.database)
	contains(t, "mariadb-show", l.run(t, "", "mariadb-show", "--count", l.database), "| t ")
	contains(t, "mariadb-check", l.run(t, "", "mariadb-check", l.database), l.database+".t", "OK")
	for _, refused := range []string{"shutdown", "reload", "flush-logs"} {
		s := l.try(t, "", "mariadb-admin", refused)
		if s.err == nil {
			t.Errorf("mariadb-admin %s succeeded", refused)
		}
		contains(t, refused, s.stderr, "ccess denied")
	}
	// It has no such option as the others, and knows no version of MySQL.
	binlog := l.command(t, "mariadb-binlog", "--read-from-remote-server", "binlog.000001")
	binlog.Args = slices.DeleteFunc(binlog.Args, func(a string) bool { return strings.HasPrefix(a, "--default-character-set") })
	if out, err := binlog.CombinedOutput(); err == nil || !strings.Contains(string(out), "ccess denied") && !strings.Contains(string(out), "unrecognized MariaDB version") {
		t.Errorf("mariadb-binlog: got %v %s", err, out)
	}
}
