package test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// superuser is the login of the installation's own PostgreSQL server, past the
// proxy: what only an operator with the data folder has.
func (in *installation) superuser(t testing.TB) login {
	t.Helper()
	var folder string
	err := filepath.WalkDir(in.dir, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "superuser.password" {
			folder = filepath.Dir(path)
			return fs.SkipAll
		}
		return err
	})
	if err != nil || folder == "" {
		t.Fatalf("no PostgreSQL server in %s: %v", in.dir, err)
	}
	password, err := os.ReadFile(filepath.Join(folder, "superuser.password"))
	if err != nil {
		t.Fatal(err)
	}
	// https://www.postgresql.org/docs/current/storage-file-layout.html: the
	// fourth line is the port, the fifth the socket's folder.
	pid, err := os.ReadFile(filepath.Join(folder, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(pid), "\n")
	port, err := strconv.ParseUint(lines[3], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return login{
		host: lines[4], port: uint16(port), user: "postgres",
		password: strings.TrimSpace(string(password)), database: "postgres",
	}
}

// direct makes a plain database and its owner beside the workspace's, on the
// same server and with names of the same length, and gives the login past the
// proxy.
func (d database) direct(t testing.TB) login {
	t.Helper()
	super := d.installation.superuser(t)
	l := super
	l.user = "q" + d.login(t).owner(t)[1:]
	l.password = "direct"
	l.database = "q" + d.name[1:]
	admin := super.connect(t)
	run := func(format string, args ...any) {
		t.Helper()
		if _, err := admin.Exec(context.Background(), fmt.Sprintf(format, args...)); err != nil {
			t.Fatal(err)
		}
	}
	role, name := pgx.Identifier{l.user}.Sanitize(), pgx.Identifier{l.database}.Sanitize()
	run("CREATE ROLE %s LOGIN PASSWORD 'direct'", role)
	t.Cleanup(func() { run("DROP ROLE %s", role) })
	run("CREATE DATABASE %s OWNER %s TEMPLATE template0 ENCODING 'UTF8'", name, role)
	t.Cleanup(func() { run("DROP DATABASE %s WITH (FORCE)", name) })
	return l
}

// pair is a workspace and a plain database that should be told apart by their
// names alone.
type pair struct {
	proxied, direct login
	names           *strings.Replacer
	cleaners        []*pgx.Conn // one to each
}

// sameAsDirect makes a tenant-mode workspace and its plain counterpart.
func sameAsDirect(t testing.TB, name string) pair {
	t.Helper()
	d := shared.workspace(t, name, "tenant")
	direct := d.direct(t)
	proxied := d.login(t)
	names := strings.NewReplacer(direct.user, proxied.owner(t), direct.database, d.name)
	return pair{proxied, direct, names, []*pgx.Conn{proxied.connect(t), direct.connect(t)}}
}

var processID = regexp.MustCompile(`\b(PID|process) \d+`)

// normal takes out of text what must differ: names and process numbers.
func (p pair) normal(text string) string {
	return processID.ReplaceAllString(p.names.Replace(text), "$1 <pid>")
}

// fresh empties both databases.
func (p pair) fresh(t testing.TB) {
	t.Helper()
	for _, conn := range p.cleaners {
		if _, err := conn.Exec(context.Background(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
			t.Fatal(err)
		}
	}
}

// wantEqual shows the first difference of two texts.
func wantEqual(t testing.TB, proxied, direct string) {
	t.Helper()
	if proxied == direct {
		return
	}
	got, want := strings.Split(proxied, "\n"), strings.Split(direct, "\n")
	for i := range max(len(got), len(want)) {
		if i < len(got) && i < len(want) && got[i] == want[i] {
			continue
		}
		from := max(i-3, 0)
		t.Errorf("line %d differs\nthrough the proxy:\n%s\ndirect:\n%s", i+1, excerpt(got, from, i+4), excerpt(want, from, i+4))
		return
	}
}

// excerpt is some of the lines, none too long to read.
func excerpt(lines []string, from, to int) string {
	var b strings.Builder
	for _, line := range lines[min(from, len(lines)):min(to, len(lines))] {
		if len(line) > 400 {
			line = line[:400] + "…"
		}
		b.WriteString("\t" + line + "\n")
	}
	return b.String()
}
