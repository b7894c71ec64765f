package devstack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMissingProgramNamesItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := postgresPrograms("99")
	missing, ok := errors.AsType[*MissingError](err)
	if !ok {
		t.Fatalf("got %v, want a MissingError", err)
	}
	if missing.Package != "postgresql-99" || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %q, want one line with the package postgresql-99", err)
	}
}

func TestNewestOfDebiansVersionsCountsAsANumber(t *testing.T) {
	if version("/usr/lib/postgresql/9/bin") >= version("/usr/lib/postgresql/15/bin") {
		t.Error("version 9 is taken for newer than version 15")
	}
}

// Who puts a MySQL in front of the PATH wants it, but not for data of the other
// server.
func TestTheServerThatThePathHasFirstIsRun(t *testing.T) {
	mysql, mariaDB := t.TempDir(), t.TempDir()
	for _, program := range []string{filepath.Join(mysql, "mysqld"), filepath.Join(mariaDB, "mariadbd"), filepath.Join(mariaDB, "mariadb-install-db")} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	byMySQL, byMariaDB, none := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "none")
	if err := os.WriteFile(filepath.Join(byMySQL, "mysql.ibd"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		folders    []string
		data, want string
	}{
		{[]string{mysql, mariaDB}, none, "mysqld"},
		{[]string{mariaDB, mysql}, none, "mariadbd"},
		{[]string{mysql, mariaDB}, byMariaDB, "mariadbd"},
		{[]string{mariaDB, mysql}, byMySQL, "mysqld"},
		{[]string{mysql}, none, "mysqld"},
	} {
		t.Setenv("PATH", strings.Join(c.folders, string(filepath.ListSeparator)))
		found, err := findMySQL(c.data)
		if err != nil || filepath.Base(found.server) != c.want {
			t.Errorf("PATH %v, data %s: got %q %v, want %s", c.folders, c.data, found.server, err, c.want)
		}
	}
}
