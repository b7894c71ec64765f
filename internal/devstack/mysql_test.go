package devstack_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

// mysqlValue is the first value of a statement that the administrator runs.
func mysqlValue(ctx context.Context, m *devstack.MySQL, password, statement string) (string, error) {
	conn, err := client.ConnectWithContext(ctx, m.Socket(), m.User(), password, "", 10*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	result, err := conn.Execute(statement)
	if err != nil || !result.HasResultset() {
		return "", err
	}
	return result.GetString(0, 0)
}

func wantMySQL(t *testing.T, m *devstack.MySQL, statement, want string) {
	t.Helper()
	got, err := mysqlValue(t.Context(), m, m.Password(), statement)
	if err != nil || got != want {
		t.Errorf("%s: got %q %v, want %q", statement, got, err, want)
	}
}

func runMySQL(t *testing.T, m *devstack.MySQL, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := mysqlValue(t.Context(), m, m.Password(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func startMySQL(t *testing.T, dir string) *devstack.MySQL {
	t.Helper()
	m, err := devstack.StartMySQL(t.Context(), devstack.MySQLConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func stopMySQL(t *testing.T, m *devstack.MySQL) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestMySQLLetsInNobodyWithoutItsPassword(t *testing.T) {
	m := devstacktest.MySQL(t, nil)
	for _, password := range []string{"", "wrong"} {
		_, err := mysqlValue(t.Context(), m, password, "SELECT 1")
		if refusal, ok := errors.AsType[*mysql.MyError](err); !ok || refusal.Code != mysql.ER_ACCESS_DENIED_ERROR {
			t.Errorf("password %q: got %v, want error 1045", password, err)
		}
	}
	conn, err := client.ConnectWithContext(t.Context(), m.Socket(), "", "", "", 10*time.Second)
	if err == nil {
		conn.Close()
		t.Error("a user without a name may log in")
	}
	wantMySQL(t, m, "SELECT @@skip_networking", "1")
	if info, err := os.Stat(filepath.Dir(m.Socket())); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of the socket: got %v %v, want mode 0700", info, err)
	}
}

func TestMySQLLogsWhatTrackingReads(t *testing.T) {
	m := startMySQL(t, devstacktest.Dir(t))
	defer stopMySQL(t, m)
	for statement, want := range map[string]string{
		"SELECT @@log_bin":                         "1",
		"SELECT @@binlog_format":                   "ROW",
		"SELECT @@sync_binlog":                     "1",
		"SELECT @@innodb_flush_log_at_trx_commit":  "1",
		"SELECT @@server_id":                       "1",
		"SELECT @@character_set_server":            "utf8mb4",
		"SELECT @@local_infile":                    "1",
		"SELECT @@event_scheduler":                 "ON",
		"SELECT @@max_allowed_packet":              strconv.Itoa(1 << 30),
		"SELECT @@log_bin_trust_function_creators": "1",
	} {
		wantMySQL(t, m, statement, want)
	}
}

// A server that starts removes what looks like temporary tables.
func TestMySQLServersShareNoTemporaryTables(t *testing.T) {
	dir := devstacktest.Dir(t)
	m := startMySQL(t, dir)
	defer stopMySQL(t, m)
	wantMySQL(t, m, "SELECT @@tmpdir", filepath.Join(dir, "tmp"))
}

// A workspace's role may make tables, and so would make files.
func TestMySQLMakesNoFilesElsewhere(t *testing.T) {
	m := startMySQL(t, devstacktest.Dir(t))
	defer stopMySQL(t, m)
	elsewhere := t.TempDir()
	if err := os.Chmod(elsewhere, 0o777); err != nil {
		t.Fatal(err)
	}
	for parent := filepath.Dir(elsewhere); parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := client.Connect(m.Socket(), m.User(), m.Password(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{
		"CREATE DATABASE shop",
		"CREATE TABLE shop.a (id int) ENGINE = InnoDB DATA DIRECTORY = '" + elsewhere + "'",
		"CREATE TABLE shop.b (id int) ENGINE = MyISAM DATA DIRECTORY = '" + elsewhere + "'",
	} {
		if _, err := conn.Execute(statement); err != nil && !strings.Contains(statement, "InnoDB") { // MySQL refuses it
			t.Errorf("%s: %v", statement, err)
		}
	}
	if files, err := os.ReadDir(elsewhere); err != nil || len(files) > 0 {
		t.Errorf("got %v %v, want no file", files, err)
	}
}

func TestMySQLKeepsItsPasswordFromOthers(t *testing.T) {
	dir := devstacktest.Dir(t)
	m := startMySQL(t, dir)
	defer stopMySQL(t, m)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		held := strings.Contains(string(text), m.Password())
		if held && info.Mode().Perm() != 0o600 {
			t.Errorf("%s holds the password with mode %v", path, info.Mode())
		}
		if held && filepath.Dir(path) != dir {
			t.Errorf("the server wrote the password to %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := exec.Command("ps", "ax", "-o", "args").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lines), m.Password()) {
		t.Error("the password is among the arguments of a process")
	}
}

func TestMySQLFindsItsDataAfterAKill(t *testing.T) {
	dir := devstacktest.Dir(t)
	m := startMySQL(t, dir)
	defer func() { stopMySQL(t, m) }()
	first := m.Password()
	runMySQL(t, m, "CREATE DATABASE kept", "CREATE TABLE kept.t (id int)", "INSERT INTO kept.t VALUES (7)")
	pid, err := os.ReadFile(filepath.Join(dir, "data", "mysql.pid"))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "server back", func() bool {
		got, err := mysqlValue(t.Context(), m, first, "SELECT id FROM kept.t")
		return err == nil && got == "7"
	})

	stopMySQL(t, m)
	m = startMySQL(t, dir)
	if m.Password() != first {
		t.Error("the password changed with the next start")
	}
	wantMySQL(t, m, "SELECT id FROM kept.t", "7")
}

func TestMySQLFolderIsHeldByOne(t *testing.T) {
	dir := devstacktest.Dir(t)
	m := startMySQL(t, dir)
	defer stopMySQL(t, m)
	if _, err := devstack.StartMySQL(t.Context(), devstack.MySQLConfig{Dir: dir}); !errors.Is(err, devstack.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
}

func TestMissingMySQLNamesItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no program that makes a data folder
	dir := filepath.Join(t.TempDir(), "mysql")
	_, err := devstack.StartMySQL(t.Context(), devstack.MySQLConfig{Dir: dir})
	missing, ok := errors.AsType[*devstack.MissingError](err)
	if !ok || missing.Package != "mariadb-server" {
		t.Fatalf("got %v, want a MissingError with the package mariadb-server", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a folder was made for a server that can't start")
	}
}
