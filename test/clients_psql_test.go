package test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPsqlVerifiesTheServer(t *testing.T) {
	l := shared.workspace(t, "psql_tls", "control").login(t)
	if got := l.psql(t, "SELECT 1"); got != "1" {
		t.Errorf("with sslmode=verify-full: got %q", got)
	}

	t.Run("with the certificate bound to the password", func(t *testing.T) {
		cmd := l.command(t, "psql", "-XAtc", "SELECT 2")
		cmd.Env = append(cmd.Env, "PGCHANNELBINDING=require")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "2" {
			t.Errorf("got %q, %v", out, err)
		}
	})
	t.Run("by a service file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "services")
		var text strings.Builder
		text.WriteString("[shop]\n")
		for name, value := range l.settings() {
			text.WriteString(name + "=" + value + "\n")
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := l.command(t, "psql", "-XAtc", "SELECT current_database()")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PGSERVICEFILE=" + file, "PGSERVICE=shop"}
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != l.database {
			t.Errorf("got %q, %v", out, err)
		}
	})
	t.Run("not one of another authority", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "other.crt")
		writeAuthority(t, file)
		other := l
		other.caFile = file
		contains(t, "another authority", other.try(t, "", "psql", "-Xc", "SELECT 1").stderr, "certificate verify failed")
	})
	t.Run("not without TLS", func(t *testing.T) {
		plain := l
		plain.caFile = ""
		contains(t, "without TLS", plain.try(t, "", "psql", "-Xc", "SELECT 1").stderr, "TLS is required")
	})
}

func TestPsqlIsToldOfAWrongLogin(t *testing.T) {
	l := shared.workspace(t, "psql_login", "control").login(t)
	wrong, unknown, stranger := l, l, l
	wrong.password += "x"
	unknown.database = "nowhere_workspace"
	stranger.user = "tdb_00000000"
	var told []string
	for _, bad := range []login{wrong, unknown, stranger} {
		s := bad.try(t, "", "psql", "-Xc", "SELECT 1")
		contains(t, "wrong login", s.stderr, "password authentication failed for user \""+bad.user+"\"")
		told = append(told, strings.ReplaceAll(s.stderr, bad.user, l.user))
	}
	if told[0] != told[1] || told[0] != told[2] {
		t.Errorf("wrong password, unknown database and unknown user can be told apart: %q", told)
	}
}

func TestPsqlListsItsDatabase(t *testing.T) {
	l := shared.workspace(t, "psql_list", "tenant").login(t)
	contains(t, `\l`, l.psql(t, `\l`), l.database+"|", "UTF8|C.UTF-8")
	contains(t, "psql -l", l.run(t, "", "psql", "-lX", "-d", l.database), l.database)
	if got := l.psql(t, `\l `+l.database); strings.Count(got, "\n") > 2 {
		t.Errorf(`\l with a name: %q`, got)
	}
	contains(t, "pg_isready", l.run(t, "", "pg_isready"), "accepting connections")
}

func TestPsqlWatches(t *testing.T) {
	l := shared.workspace(t, "psql_watch", "control").login(t)
	s := l.try(t, "CREATE SEQUENCE s;\nSELECT 100 / (4 - nextval('s')) AS left\n\\watch 0.05\nSELECT 'after';\n", "psql", "-XA")
	contains(t, `\watch`, s.stdout, "every 0.05s", "left\n33", "left\n50", "left\n100", "after")
	contains(t, `\watch`, s.stderr, "division by zero")
}

// TestPsqlCopiesFiles moves a table through files of the client.
func TestPsqlCopiesFiles(t *testing.T) {
	l := shared.workspace(t, "psql_copy", "tenant").login(t)
	folder := t.TempDir()
	file, back := filepath.Join(folder, "in.csv"), filepath.Join(folder, "out.csv")
	content := "id,v\n" + strings.Repeat("1,\"a, \"\"quoted\"\"\"\n2,ünïcode\n", 4000)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	out := l.run(t, "CREATE TABLE t (id int, v text);\n\\copy t FROM '"+file+"' CSV HEADER\n\\copy t TO '"+back+"' CSV HEADER\n", "psql", "-X")
	contains(t, `\copy`, out, "COPY 8000\nCOPY 8000")
	got, err := os.ReadFile(back)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != content {
		t.Errorf("%d bytes came back of %d", len(got), len(content))
	}
}

func TestPsqlKeepsLargeObjects(t *testing.T) {
	l := shared.workspace(t, "psql_objects", "tenant").login(t)
	folder := t.TempDir()
	file, back := filepath.Join(folder, "in"), filepath.Join(folder, "out")
	content := bytes.Repeat([]byte{0, 1, 2, 0xff, '\n'}, 200_000)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(t, "\\lo_import '"+file+"' 'a comment'\n\\lo_export :LASTOID '"+back+"'\n", "psql", "-X", "-v", "ON_ERROR_STOP=1")
	got, err := os.ReadFile(back)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back of %d, %v", len(got), len(content), err)
	}
	contains(t, `\lo_list`, l.psql(t, `\lo_list`), "a comment")
	contains(t, "vacuumlo", l.run(t, "", "vacuumlo", "-v", l.database), "Successfully removed 1 large objects")
}

// TestPsqlCancels presses Ctrl-C in a psql on a terminal, which then goes on.
func TestPsqlCancels(t *testing.T) {
	l := shared.workspace(t, "psql_cancel", "control").login(t)
	cmd := l.command(t, "script", "-qfc", "psql -X --pset pager=off", "/dev/null")
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
	press("CREATE TEMP TABLE mine (v text);\n")
	shows("CREATE TABLE")
	press("SELECT pg_sleep(60);\n")
	l.awaitRunning(t, "SELECT pg_sleep(60);")
	pressed := time.Now()
	press("\x03")
	shows("canceling statement due to user request")
	if took := time.Since(pressed); took > 30*time.Second {
		t.Errorf("the statement ended %v after Ctrl-C", took)
	}
	press("INSERT INTO mine VALUES ('still ' || 'here') RETURNING v;\n")
	shows("still here")
	press("\\q\n")
	if err := cmd.Wait(); err != nil {
		t.Errorf("psql ended with %v:\n%s", err, screen.String())
	}
}

// TestPsqlScriptIsCancelled sends SIGINT to a psql that runs a script.
func TestPsqlScriptIsCancelled(t *testing.T) {
	l := shared.workspace(t, "psql_interrupt", "control").login(t)
	cmd := l.command(t, "psql", "-Xc", "SELECT pg_sleep(61)")
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.awaitRunning(t, "SELECT pg_sleep(61)")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("psql ended as if nothing had happened")
	}
	contains(t, "SIGINT", out.String(), "canceling statement due to user request")
	eventually(t, "the server is at rest", func() bool {
		return l.psql(t, "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(61)' AND state = 'active'") == "0"
	})
}

// awaitRunning waits until the server runs the statement.
func (l login) awaitRunning(t testing.TB, statement string) {
	t.Helper()
	conn := l.connect(t)
	eventually(t, statement+" runs", func() bool {
		var n int
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'active'", statement).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	})
}
