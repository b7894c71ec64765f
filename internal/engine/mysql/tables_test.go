package mysql

import (
	"slices"
	"strings"
	"testing"
)

func TestTablesShowTypesAsWritten(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	newSession(t, e, target).run(
		"CREATE TABLE users (id int unsigned AUTO_INCREMENT, email varchar(255) NOT NULL, role enum('a','b') DEFAULT 'a', score decimal(10,2) DEFAULT 1.5, "+
			"at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, note text, big bigint GENERATED ALWAYS AS (score + 1) VIRTUAL, PRIMARY KEY (id), UNIQUE KEY by_email (email))",
		"CREATE VIEW v AS SELECT 1", "CREATE TABLE bare (a int)")
	tables, err := e.Tables(t.Context(), target)
	must(t, err)
	if len(tables) != 2 || tables[0].Name != "bare" || tables[1].Name != "users" {
		t.Fatalf("got %+v", tables)
	}
	users := tables[1]
	if !slices.Equal(users.Indexes, []string{"PRIMARY", "by_email"}) {
		t.Errorf("indexes %v", users.Indexes)
	}
	id := "int(10) unsigned auto_increment"
	if !e.known().mariaDB {
		id = "int unsigned auto_increment"
	}
	for i, want := range []struct {
		name, kind, fallback string
		nullable, primary    bool
	}{
		{"id", id, "", false, true},
		{"email", "varchar(255)", "", false, false},
		{"role", "enum('a','b')", "'a'", true, false},
		{"score", "decimal(10,2)", "1.50", true, false},
		{"at", "timestamp", "current_timestamp", false, false},
		{"note", "text", "", true, false},
	} {
		got := users.Columns[i]
		fallback := ""
		if got.Default != nil {
			fallback = strings.TrimSuffix(strings.ToLower(*got.Default), "()")
		}
		if got.Name != want.name || got.Type != want.kind || fallback != want.fallback || got.Nullable != want.nullable || got.PrimaryKey != want.primary {
			t.Errorf("got %+v with default %q, want %+v", got, fallback, want)
		}
	}
	if got := users.Columns[6]; got.Default != nil || !got.Nullable {
		t.Errorf("got %+v", got)
	}
}

func TestDefinitionsRebuildTheSchema(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	s := newSession(t, e, target)
	s.run(everyKind...)
	s.run("INSERT INTO parent (code) VALUES ('x')",
		// A circle, a view before what it selects from, a table before its target.
		"CREATE TABLE a_first (id int PRIMARY KEY, z int)", "CREATE TABLE z_last (id int PRIMARY KEY, a int, CONSTRAINT to_a FOREIGN KEY (a) REFERENCES a_first (id))",
		"ALTER TABLE a_first ADD CONSTRAINT to_z FOREIGN KEY (z) REFERENCES z_last (id) ON DELETE SET NULL",
		"CREATE TABLE b_child (id int, z int, CONSTRAINT b_to_z FOREIGN KEY (z) REFERENCES z_last (id), KEY k (id)) COMMENT='FOREIGN KEY (`a`) REFERENCES `b`'",
		"CREATE TABLE self (id int PRIMARY KEY, up int, CONSTRAINT up FOREIGN KEY (up) REFERENCES self (id))",
		"CREATE VIEW z_view AS SELECT id FROM a_first", "CREATE VIEW a_view AS SELECT z.id, twice(z.id) AS `z_view` FROM z_view z JOIN parent ON true")
	if e.known().mariaDB {
		s.run("CREATE SEQUENCE counter START WITH 7 INCREMENT BY 3", "CREATE TABLE counted (id int DEFAULT nextval(counter))",
			"CREATE TABLE versioned (a int) WITH SYSTEM VERSIONING")
	}
	s.run("ALTER DATABASE COLLATE latin1_german2_ci", "CREATE FUNCTION heading(s varchar(9)) RETURNS varchar(9) DETERMINISTIC RETURN s",
		"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	list, err := e.Definitions(t.Context(), target)
	must(t, err)
	to := newWorkspace(t, e)
	rebuilt := newSession(t, e, to)
	for _, sql := range list {
		if strings.Contains(sql, target.Role) || strings.Contains(sql, "AUTO_INCREMENT=") {
			t.Errorf("definition holds what it should not: %s", sql)
		}
		rebuilt.run(sql)
	}
	wantSame(t, dump(t, e, target), dump(t, e, to))
}

func TestEmptyWorkspaceHasNothing(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	tables, err := e.Tables(t.Context(), target)
	if must(t, err); tables == nil || len(tables) != 0 {
		t.Errorf("got %+v, want an empty list", tables)
	}
	list, err := e.Definitions(t.Context(), target)
	if must(t, err); len(list) != 0 {
		t.Errorf("got %q", list)
	}
}
