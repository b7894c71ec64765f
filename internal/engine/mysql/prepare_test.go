package mysql

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

func TestVersionsAreRead(t *testing.T) {
	for text, want := range map[string]int{
		"9.7.4-2": 90704, "8.4.0": 80400, "10.11.19-MariaDB-0+deb12u1-log": 101119, "5.5.5-10.6.1-MariaDB": 100601, "nonsense": 0,
	} {
		version, mariaDB := serverVersion(text)
		if version != want || mariaDB != strings.Contains(text, "MariaDB") {
			t.Errorf("%s: got %d %v, want %d", text, version, mariaDB, want)
		}
	}
}

// A server whose log does not tell what is needed is refused, with what to do.
func TestPrepareChecksTheBinaryLog(t *testing.T) {
	if os.Getenv(serverVariable) != "" {
		t.Log("runs on a server of the tests' own")
		return
	}
	m := devstacktest.MySQL(t, map[string]string{"loose-binlog-format": "MIXED", "loose-log-bin-trust-function-creators": "OFF"})
	var log bytes.Buffer
	c := configOf(m.Socket(), m.User(), m.Password())
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	e := New(c)
	t.Cleanup(e.Close)
	if err := e.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "binlog_format is MIXED") {
		t.Errorf("got %v", err)
	}
	must(t, e.command(t.Context(), "SET GLOBAL binlog_format = 'ROW'"))
	must(t, e.Prepare(t.Context()))
	if !strings.Contains(log.String(), "sync_binlog is not 1") || !strings.Contains(log.String(), "log_bin_trust_function_creators is switched on") {
		t.Errorf("log says %s", log.String())
	}
	if strings.Contains(log.String(), m.Password()) {
		t.Error("the password is in the log")
	}
	target := newTracked(t, e)
	newSession(t, e, target).run("CREATE FUNCTION f() RETURNS int RETURN 1")
	returns := "int"
	if e.known().mariaDB {
		returns = "int(11)"
	}
	wantStatements(t, changes(t, e, target), "CREATE FUNCTION `f`() RETURNS "+returns+"\nRETURN 1")
}

func TestCompressedStatementsAreRead(t *testing.T) {
	e := newEngine(t)
	admin := administrator(t, e)
	if !e.known().mariaDB {
		return // MySQL compresses no schema change
	}
	admin.run("SET GLOBAL log_bin_compress = ON, log_bin_compress_min_len = 10")
	defer admin.run("SET GLOBAL log_bin_compress = OFF")
	target := newTracked(t, e)
	const sql = "CREATE TABLE long_enough (a varchar(20) DEFAULT 'aaaaaaaaaaaaaaaaaaaa', b varchar(20) DEFAULT 'aaaaaaaaaaaaaaaaaaaa')"
	newSession(t, e, target).run(sql)
	wantStatements(t, changes(t, e, target), sql)
}
