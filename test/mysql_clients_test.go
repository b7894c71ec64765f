package test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// mysqlLogin is how a client reaches a MySQL database.
type mysqlLogin struct {
	network  string // tcp, or unix for the server itself
	addr     string
	user     string
	password string
	database string
	caFile   string // trusted for the server's certificate; empty: no TLS
}

// mysqlDatabase makes a workspace with the limits that every new one has.
func (in *installation) mysqlDatabase(t testing.TB, name, mode string) mysqlDatabase {
	t.Helper()
	body := in.mysqlWorkspace(t, name, mode)
	connection := body["connection"].(map[string]any)
	return mysqlDatabase{
		database: database{installation: in, id: body["id"].(string), url: body["connection_string"].(string),
			name: connection["database"].(string)},
		connection: connection,
	}
}

// login is the workspace's, with the certificate and its name verified.
func (d mysqlDatabase) login() mysqlLogin {
	return mysqlLogin{
		network: "tcp", addr: fmt.Sprintf("127.0.0.1:%v", d.connection["port"]),
		user: d.connection["user"].(string), password: d.connection["password"].(string), database: d.name,
		caFile: d.installation.CAFile,
	}
}

// arguments are those of the client programs of MariaDB.
func (l mysqlLogin) arguments() []string {
	args := []string{"--no-defaults", "--user=" + l.user, "--password=" + l.password, "--default-character-set=utf8mb4"}
	if l.network == "unix" {
		return append(args, "--protocol=socket", "--socket="+l.addr)
	}
	host, port, _ := strings.Cut(l.addr, ":")
	args = append(args, "--protocol=tcp", "--host="+host, "--port="+port)
	if l.caFile == "" {
		return append(args, "--skip-ssl")
	}
	return append(args, "--ssl-ca="+l.caFile, "--ssl-verify-server-cert")
}

// command is a client program at the login's database.
func (l mysqlLogin) command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	t.Cleanup(done)
	cmd := exec.CommandContext(ctx, name, slices.Concat(l.arguments(), args)...)
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	return cmd
}

// try runs a client program to its end.
func (l mysqlLogin) try(t testing.TB, stdin, name string, args ...string) said {
	t.Helper()
	cmd := l.command(t, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	return said{stdout.String(), stderr.String(), err}
}

// run is try where failing ends the test; it gives the program's output.
func (l mysqlLogin) run(t testing.TB, stdin, name string, args ...string) string {
	t.Helper()
	s := l.try(t, stdin, name, args...)
	if s.err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), s.err, s.stdout, s.stderr)
	}
	return s.stdout
}

// client gives statements to the command line client, and its output without
// the names of columns.
func (l mysqlLogin) client(t testing.TB, statements string, args ...string) string {
	t.Helper()
	args = append([]string{"--batch", "--skip-column-names", l.database}, args...)
	return strings.TrimSpace(l.run(t, statements, "mariadb", args...))
}

// config is the login for the Go driver.
func (l mysqlLogin) config(t testing.TB) *mysql.Config {
	t.Helper()
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = l.network, l.addr, l.user, l.password, l.database
	c.Logger = &mysql.NopLogger{}
	if l.caFile == "" {
		return c
	}
	text, err := os.ReadFile(l.caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	c.TLS = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	return c
}

// pool is a pool of the Go driver that the test closes.
func (l mysqlLogin) pool(t testing.TB, change ...func(*mysql.Config)) *sql.DB {
	t.Helper()
	c := l.config(t)
	for _, f := range change {
		f(c)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// connect is one connection of the Go driver that the test closes.
func (l mysqlLogin) connect(t testing.TB, change ...func(*mysql.Config)) *sql.Conn {
	t.Helper()
	conn, err := l.tryConnect(t, change...)
	if err != nil {
		t.Fatalf("connect to %s as %s: %v", l.database, l.user, err)
	}
	return conn
}

func (l mysqlLogin) tryConnect(t testing.TB, change ...func(*mysql.Config)) (*sql.Conn, error) {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	defer done()
	conn, err := l.pool(t, change...).Conn(ctx)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// interpolated makes the Go driver put parameters into the text, so that it
// speaks the text protocol.
func interpolated(c *mysql.Config) { c.InterpolateParams = true }

// multiStatements lets a text have several statements.
func multiStatements(c *mysql.Config) { c.MultiStatements = true }

// column is the first column of each row of query.
func column(conn *sql.Conn, query string, args ...any) (values []string, err error) {
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	defer done()
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var value sql.NullString
		if err := rows.Scan(&value); err != nil {
			return values, err
		}
		values = append(values, value.String)
	}
	return values, rows.Err()
}

// wantColumn holds query's first column to want.
func wantColumn(t testing.TB, conn *sql.Conn, query string, want ...string) {
	t.Helper()
	got, err := column(conn, query)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: got %q %v, want %q", query, got, err, want)
	}
}

// change runs a statement that must succeed.
func change(t testing.TB, conn *sql.Conn, statement string, args ...any) sql.Result {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	defer done()
	result, err := conn.ExecContext(ctx, statement, args...)
	if err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
	return result
}

// wantNumber holds err to a server's error with that number, and gives its
// message.
func wantNumber(t testing.TB, what string, err error, number uint16) string {
	t.Helper()
	told, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok || told.Number != number {
		t.Errorf("%s: got %v, want error %d", what, err, number)
		return ""
	}
	return told.Message
}

// administrator is the server's own, past the proxy.
func (in *installation) mysqlAdmin(t testing.TB) mysqlLogin {
	t.Helper()
	l := mysqlLogin{network: "unix"}
	for _, argument := range in.mysqlAdministrator(t) {
		name, value, _ := strings.Cut(argument, "=")
		switch name {
		case "--socket":
			l.addr = value
		case "--user":
			l.user = value
		case "--password":
			l.password = value
		}
	}
	return l
}

// isMariaDB says whether the server is MariaDB.
func (d mysqlDatabase) isMariaDB(t testing.TB) bool {
	t.Helper()
	return strings.Contains(d.value(t, d.login().connect(t), "SELECT VERSION()"), "MariaDB")
}

// TestMySQLConnectionStringWorksAsItIs, pasted into what reads such a string.
func TestMySQLConnectionStringWorksAsItIs(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-string", "control")
	wantColumn(t, d.pasted(t).connect(t), "SELECT DATABASE()", d.name)
}

// pasted is the login that the connection string says by itself.
func (d mysqlDatabase) pasted(t testing.TB) mysqlLogin {
	t.Helper()
	u, err := url.Parse(d.url)
	if err != nil || u.Scheme != "mysql" {
		t.Fatalf("connection string %q: %v", d.url, err)
	}
	l := d.login()
	password, _ := u.User.Password()
	l.addr, l.user, l.password, l.database = u.Host, u.User.Username(), password, strings.TrimPrefix(u.Path, "/")
	return l
}
