package devstack

import (
	"errors"
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
