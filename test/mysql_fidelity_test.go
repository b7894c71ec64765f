package test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The measure of the deploy queue, for MySQL: replaying it on an empty database
// gives a dump identical to the workspace's.

func TestReplayOfTheQueueRebuildsWhatMySQLsClientLoaded(t *testing.T) {
	for _, name := range []string{"rental", "migrations", shared.mysqlKind(t)} {
		t.Run(name, func(t *testing.T) {
			source := shared.mysqlUnlimited(t, "my-"+name, "tenant")
			source.load(t, readSchema(t, name+".sql"))
			mustRebuildMySQL(t, source)
			mustRedefineMySQL(t, source)
		})
	}
}

// A dump of a large schema is full of executable comments, of settings that are
// kept in variables, and of definers.
func TestReplayOfTheQueueRebuildsALoadedMySQLDump(t *testing.T) {
	for _, name := range []string{"rental", shared.mysqlKind(t)} {
		t.Run(name, func(t *testing.T) {
			first := shared.mysqlUnlimited(t, "my-dumped-"+name, "control")
			first.load(t, readSchema(t, name+".sql"))
			second := shared.mysqlUnlimited(t, "my-loaded-"+name, "tenant")
			second.load(t, strings.ReplaceAll(first.dump(t), first.role(t), second.role(t)))
			if got, want := redefined(second.schema(t)), redefined(first.schema(t)); got != want {
				t.Fatalf("the loaded dump differs from what was dumped:\n%s", firstDifference(got, want))
			}
			mustRebuildMySQL(t, second)
			mustRedefineMySQL(t, second)
		})
	}
}

// A large schema of a kind that nobody thought of while writing this program.
func TestReplayOfTheQueueRebuildsAGeneratedMySQLSchema(t *testing.T) {
	seed := testSeed(t)
	source := shared.mysqlUnlimited(t, "my-generated", "tenant")
	source.load(t, generateMySQLSchema(rand.New(rand.NewPCG(seed, 2)), generatedTables))
	mustRebuildMySQL(t, source)
	mustRedefineMySQL(t, source)
}

// mysqlKind is "mariadb" or "mysql", whichever the installation runs: the dump
// program and the server are to be of one make.
func (in *installation) mysqlKind(t testing.TB) string {
	t.Helper()
	body := in.mysqlWorkspace(t, "my-kind", "control")
	version, err := in.mysqlClient(body["connection"], "SELECT VERSION()")
	if err != nil {
		t.Fatalf("%v: %s", err, version)
	}
	in.must(t, http.StatusOK, "DELETE", "/workspaces/my-kind", nil)
	if strings.Contains(version, "MariaDB") {
		return "mariadb"
	}
	return "mysql"
}

func readSchema(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "mysql", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mysqlDatabase is a MySQL workspace as a client reaches it.
type mysqlDatabase struct {
	database
	connection map[string]any
}

// mysqlUnlimited makes a workspace whose limits no dump of a large schema can
// reach.
func (in *installation) mysqlUnlimited(t testing.TB, name, mode string) mysqlDatabase {
	t.Helper()
	body := in.mysqlWorkspace(t, name, mode)
	connection := body["connection"].(map[string]any)
	d := mysqlDatabase{
		database:   database{installation: in, id: body["id"].(string), name: connection["database"].(string)},
		connection: connection,
	}
	d.withoutLimits(t)
	return d
}

// load gives the client a script; failing ends the test.
func (d mysqlDatabase) load(t testing.TB, script string) {
	t.Helper()
	if out, err := d.installation.mysqlClient(d.connection, script); err != nil {
		t.Fatalf("load into %s: %v\n%s", d.id, err, out)
	}
}

// dump is a dump of the schema, past the proxy.
func (d mysqlDatabase) dump(t testing.TB) string {
	t.Helper()
	args := append(d.installation.mysqlAdministrator(t), "--no-data", "--routines", "--triggers", "--events", "--skip-dump-date",
		"--default-character-set=utf8mb4", "--skip-lock-tables", d.name)
	if !dumpsMariaDB(t) {
		args = append(args, "--set-gtid-purged=OFF")
	}
	cmd := exec.Command("mysqldump", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mysqldump %s: %v\n%s", d.id, err, stderr.String())
	}
	return string(out)
}

// dumpsMariaDB says of which make the dump program is.
func dumpsMariaDB(t testing.TB) bool {
	t.Helper()
	version, err := exec.Command("mysqldump", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(version), "MariaDB")
}

// mysqlAdministrator is the login of the installation's own MySQL server, past
// the proxy, as arguments: what only an operator with the data folder has.
func (in *installation) mysqlAdministrator(t testing.TB) []string {
	t.Helper()
	var pidFile string
	err := filepath.WalkDir(in.dir, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "mysql.pid" {
			pidFile = path
			return fs.SkipAll
		}
		return err
	})
	if err != nil || pidFile == "" {
		t.Fatalf("no MySQL server in %s: %v", in.dir, err)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	password, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(pidFile)), "admin.password"))
	if err != nil {
		t.Fatal(err)
	}
	command, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "cmdline"))
	if err != nil {
		t.Fatal(err)
	}
	for argument := range strings.SplitSeq(string(command), "\x00") {
		if strings.HasPrefix(argument, "--socket=") {
			return []string{"--no-defaults", argument, "--user=root", "--password=" + strings.TrimSpace(string(password))}
		}
	}
	t.Fatalf("the server was started without a socket: %q", command)
	return nil
}

var counters = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// semicolons are those that MySQL takes for a part of a program without an END
// where another statement follows in the text. Sent alone, as in the queue, the
// program has none.
var semicolons = regexp.MustCompile(`(?m) ?;( (?:\*/ ?)?;;)$`)

// triggerTable is the name that a server quotes where it has given a trigger's
// table another name, also if it took that back because a later pair of the same
// RENAME TABLE failed, which no log tells.
var triggerTable = regexp.MustCompile("( TRIGGER \\S+ (?:BEFORE|AFTER) [A-Z]+ ON )[`\"](\\w+)[`\"]")

// schema is a dump in which only the role's and the database's own names are
// made equal, and the counters of rows are left out.
func (d mysqlDatabase) schema(t testing.TB) string {
	t.Helper()
	dump := semicolons.ReplaceAllString(counters.ReplaceAllString(d.dump(t), ""), "$1")
	dump = triggerTable.ReplaceAllString(dump, "$1$2")
	return strings.NewReplacer(d.role(t), "role_of_the_workspace", d.name, "name_of_the_database").Replace(dump)
}

// role is the physical user of the database's sessions.
func (d mysqlDatabase) role(t testing.TB) string {
	t.Helper()
	user, _, _ := strings.Cut(d.value(t, d.connect(t), "SELECT CURRENT_USER()"), "@")
	return user
}

// connect opens a session that lives as long as the test.
func (d mysqlDatabase) connect(t testing.TB) *sql.Conn {
	t.Helper()
	conn, closeConn, err := d.dial()
	if err != nil {
		t.Fatalf("connect to %s: %v", d.id, err)
	}
	t.Cleanup(closeConn)
	return conn
}

// dial opens a session of the driver, with the certificate verified.
func (d mysqlDatabase) dial() (conn *sql.Conn, closeConn func(), err error) {
	text, err := os.ReadFile(d.installation.CAFile)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", fmt.Sprintf("127.0.0.1:%v", d.connection["port"])
	config.User, config.Passwd, config.DBName = d.connection["user"].(string), d.connection["password"].(string), d.name
	config.TLS = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	config.MultiStatements = true
	config.Collation = "" // what SET NAMES utf8mb4 gives
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(connector)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if conn, err = db.Conn(ctx); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	if _, err = conn.ExecContext(ctx, "SET NAMES utf8mb4"); err != nil {
		return nil, nil, errors.Join(err, conn.Close(), db.Close())
	}
	return conn, func() { conn.Close(); db.Close() }, nil
}

// execMySQL sends text as one query and reads all of its results.
func execMySQL(conn *sql.Conn, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err := conn.ExecContext(ctx, text)
	return err
}

// value is the first column of the first row.
func (d mysqlDatabase) value(t testing.TB, conn *sql.Conn, query string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var value string
	if err := conn.QueryRowContext(ctx, query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// mustRebuildMySQL holds the source to the measure: its queue rebuilds it on an
// empty workspace, and the replay is itself recorded as the very same
// statements.
func mustRebuildMySQL(t *testing.T, source mysqlDatabase) {
	t.Helper()
	want, entries := source.schema(t), source.queue(t)

	replayed := source.installation.mysqlUnlimited(t, source.id+"-r", "tenant")
	renamed := source.renamed(t, entries, replayed)
	replayed.replay(t, renamed)
	if got := replayed.schema(t); got != want {
		t.Errorf("a replay of the queue differs from the workspace:\n%s", firstDifference(got, want))
	}
	again := replayed.queue(t)
	for i := range min(len(again), len(renamed)) {
		// MariaDB logs the time zone of a statement that needs none, too, if an
		// earlier one of its block did.
		if _, needed := again[i].Session["time_zone"]; !needed {
			delete(renamed[i].Session, "time_zone")
		}
	}
	mustEqualQueues(t, again, renamed)
}

// mustRedefineMySQL holds the statements of the source's details to the same.
func mustRedefineMySQL(t *testing.T, source mysqlDatabase) {
	t.Helper()
	copied := source.installation.mysqlUnlimited(t, source.id+"-d", "control")
	conn := copied.connect(t)
	for _, s := range source.definitions(t) {
		if err := execMySQL(conn, s); err != nil {
			t.Fatalf("definition: %v\n%s", err, s)
		}
	}
	if got, want := redefined(copied.schema(t)), redefined(source.schema(t)); got != want {
		t.Errorf("the details' schema differs from the workspace:\n%s", firstDifference(got, want))
	}
}

var columnCharset = regexp.MustCompile(`(?m)^(  .*) CHARACTER SET \w+( COLLATE)`)

// redefined leaves out of a dump what the server's own definitions do not carry
// over: MySQL remembers of a column whether its collation was written, and writes
// it in any case.
func redefined(dump string) string { return columnCharset.ReplaceAllString(dump, "$1$2") }

// renamed makes entries fit another database, for those that name their own or
// its role.
func (d mysqlDatabase) renamed(t *testing.T, entries []entry, other mysqlDatabase) []entry {
	t.Helper()
	names := strings.NewReplacer(d.role(t), other.role(t), d.name, other.name)
	fit := slices.Clone(entries)
	for i := range fit {
		fit[i].DDL, fit[i].Object = names.Replace(fit[i].DDL), names.Replace(fit[i].Object)
	}
	return fit
}

// replay runs a deploy queue as the contract says: each entry's session
// settings, then its statement as it was sent.
func (d mysqlDatabase) replay(t *testing.T, entries []entry) {
	t.Helper()
	var (
		conn      *sql.Conn
		closeConn func()
		session   map[string]string
	)
	closeConn = func() {}
	defer func() { closeConn() }()
	for _, e := range entries {
		if conn == nil || !maps.Equal(session, e.Session) {
			closeConn()
			var err error
			if conn, closeConn, err = d.dial(); err != nil {
				t.Fatal(err)
			}
			session = e.Session
			for _, name := range slices.Sorted(maps.Keys(session)) {
				if err := execMySQL(conn, fmt.Sprintf("SET SESSION %s = '%s'", name, session[name])); err != nil {
					t.Fatalf("replay entry %d: set %s: %v", e.ID, name, err)
				}
			}
		}
		if err := execMySQL(conn, e.DDL); err != nil {
			t.Fatalf("replay entry %d (%s %s): %v\n%s\nsession %v", e.ID, e.Operation, e.Object, err, e.DDL, e.Session)
		}
	}
}

// mustReplayMySQLPlain replays entries on a workspace that records nothing.
func mustReplayMySQLPlain(t *testing.T, source mysqlDatabase, entries []entry) {
	t.Helper()
	replayed := source.installation.mysqlUnlimited(t, source.id+"-r", "control")
	replayed.replay(t, source.renamed(t, entries, replayed))
	if got, want := replayed.schema(t), source.schema(t); got != want {
		t.Errorf("a replay of the queue differs from the workspace:\n%s", firstDifference(got, want))
	}
	source.installation.must(t, http.StatusOK, "DELETE", "/workspaces/"+replayed.id, nil)
}
