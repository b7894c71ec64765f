package test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// clientTimeout bounds one client program: far above what any needs.
const clientTimeout = 2 * time.Minute

// login is how a client reaches a database.
type login struct {
	host     string // a name, or a folder with a unix socket
	port     uint16
	user     string
	password string
	database string
	caFile   string // trusted for the server's certificate; empty: no TLS
}

// login is the workspace's, with the certificate and its name verified.
func (d database) login(t testing.TB) login {
	t.Helper()
	c, err := pgconn.ParseConfig(d.url)
	if err != nil {
		t.Fatal(err)
	}
	return login{c.Host, c.Port, c.User, c.Password, c.Database, d.installation.CAFile}
}

// settings are libpq's names and values of the login.
func (l login) settings() map[string]string {
	s := map[string]string{
		"host":     l.host,
		"port":     strconv.Itoa(int(l.port)),
		"user":     l.user,
		"password": l.password,
		"dbname":   l.database,
		"sslmode":  "disable",
	}
	if l.caFile != "" {
		s["sslmode"], s["sslrootcert"] = "verify-full", l.caFile
	}
	return s
}

// dsn is the login as a keyword/value connection string.
func (l login) dsn() string {
	var b strings.Builder
	for name, value := range l.settings() {
		fmt.Fprintf(&b, "%s='%s' ", name, value)
	}
	return b.String()
}

// environ is the login as libpq's environment, and no other of its variables.
func (l login) environ() []string {
	names := map[string]string{
		"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
		"dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
	}
	env := []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for name, value := range l.settings() {
		env = append(env, names[name]+"="+value)
	}
	return env
}

// command is a client program that finds its login in the environment.
func (l login) command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	t.Cleanup(done)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = l.environ()
	return cmd
}

// said is what a client program wrote.
type said struct {
	stdout, stderr string
	err            error
}

// try runs a client program to its end.
func (l login) try(t testing.TB, stdin, name string, args ...string) said {
	t.Helper()
	cmd := l.command(t, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	return said{stdout.String(), stderr.String(), err}
}

// run is try where failing ends the test; it gives the program's output.
func (l login) run(t testing.TB, stdin, name string, args ...string) string {
	t.Helper()
	s := l.try(t, stdin, name, args...)
	if s.err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), s.err, s.stdout, s.stderr)
	}
	return s.stdout
}

// psql runs one or more psql commands and gives their output, bare of headers
// and alignment.
func (l login) psql(t testing.TB, commands ...string) string {
	t.Helper()
	args := []string{"-XAtq", "-v", "ON_ERROR_STOP=1"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return strings.TrimSpace(l.run(t, "", "psql", args...))
}

// connect opens a pgx connection that the test closes.
func (l login) connect(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), l.dsn())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// pool opens a pgx pool of size connections that the test closes.
func (l login) pool(t testing.TB, size int32) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(l.dsn())
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = size
	p, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// set changes the workspace's settings.
func (d database) set(t testing.TB, settings map[string]any) {
	t.Helper()
	d.installation.must(t, 200, "PATCH", "/workspaces/"+d.id+"/settings", settings)
}

// contains wants each part in text.
func contains(t testing.TB, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q is not in:\n%.2000s", what, part, text)
		}
	}
}

// eventually waits until ok says true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 90 s in vain: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
