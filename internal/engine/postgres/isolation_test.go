package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const insufficientPrivilege = "42501"

// A role's credentials are tried on the server itself, with no proxy between.

func TestRoleReachesNoOtherDatabase(t *testing.T) {
	e := newEngine(t)
	mine, theirs := newWorkspace(t, e), newWorkspace(t, e)
	for _, database := range []string{theirs.Database, "postgres", "template1", "template0"} {
		conn, err := connectRole(t, mine, database)
		if err == nil {
			t.Errorf("connected to %s", database)
			continue
		}
		if state := sqlState(err); state != insufficientPrivilege && !(database == "template0" && state == "55000") {
			t.Errorf("%s: got %v (%v)", database, err, conn)
		}
	}
}

func TestRoleCannotLeaveItsDatabase(t *testing.T) {
	e := newEngine(t)
	mine, theirs := newWorkspace(t, e), newWorkspace(t, e)
	conn, err := connectRole(t, mine, mine.Database)
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(server.SocketDir(), "intruder") // where the server may write
	for name, sql := range map[string]string{
		"become superuser":         "ALTER ROLE " + mine.Role + " SUPERUSER",
		"become creator of roles":  "ALTER ROLE " + mine.Role + " CREATEROLE",
		"become replicator":        "ALTER ROLE " + mine.Role + " REPLICATION",
		"set other role":           "SET ROLE " + theirs.Role,
		"set superuser":            "SET ROLE postgres",
		"set session role":         "SET SESSION AUTHORIZATION postgres",
		"alter other role":         "ALTER ROLE " + theirs.Role + " PASSWORD 'x'",
		"drop other role":          "DROP ROLE " + theirs.Role,
		"create role":              "CREATE ROLE intruder",
		"create database":          "CREATE DATABASE intruder",
		"alter other database":     "ALTER DATABASE " + theirs.Database + " SET search_path = x",
		"drop other database":      "DROP DATABASE " + theirs.Database,
		"grant on other database":  "GRANT CONNECT ON DATABASE " + theirs.Database + " TO " + mine.Role,
		"join read server files":   "GRANT pg_read_server_files TO " + mine.Role,
		"join read all data":       "GRANT pg_read_all_data TO " + mine.Role,
		"read file":                "SELECT pg_read_file('PG_VERSION')",
		"read binary file":         "SELECT pg_read_binary_file('PG_VERSION')",
		"list directory":           "SELECT pg_ls_dir('.')",
		"list logs":                "SELECT pg_ls_logdir()",
		"stat file":                "SELECT pg_stat_file('PG_VERSION')",
		"import large object":      "SELECT lo_import('/etc/passwd')",
		"export large object":      "SELECT lo_export(1, " + literal(outside) + ")",
		"copy from file":           "CREATE TEMP TABLE stolen (line text); COPY stolen FROM '/etc/passwd'",
		"copy to file":             "COPY (SELECT 1) TO " + literal(outside),
		"copy from program":        "CREATE TEMP TABLE ran (line text); COPY ran FROM PROGRAM 'id'",
		"copy to program":          "COPY (SELECT 1) TO PROGRAM 'cat'",
		"extension dblink":         "CREATE EXTENSION dblink",
		"extension postgres_fdw":   "CREATE EXTENSION postgres_fdw",
		"extension file_fdw":       "CREATE EXTENSION file_fdw",
		"extension amcheck":        "CREATE EXTENSION amcheck",
		"language c":               "CREATE FUNCTION c() RETURNS int LANGUAGE c AS 'x', 'y'",
		"language internal":        "CREATE FUNCTION i() RETURNS int LANGUAGE internal AS 'int4pl'",
		"event trigger":            "CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION et()",
		"read role secrets":        "SELECT rolpassword FROM pg_authid",
		"read shadow":              "SELECT * FROM pg_shadow",
		"read hba":                 "SELECT * FROM pg_hba_file_rules",
		"read file settings":       "SELECT * FROM pg_file_settings",
		"write the catalog":        "UPDATE pg_catalog.pg_database SET datallowconn = false",
		"allow catalog changes":    "SET allow_system_table_mods = on",
		"preload library":          "SET session_preload_libraries = 'x'",
		"load library":             "LOAD 'dblink'",
		"change server":            "ALTER SYSTEM SET work_mem = '1MB'",
		"reload":                   "SELECT pg_reload_conf()",
		"rotate log":               "SELECT pg_rotate_logfile()",
		"checkpoint":               "CHECKPOINT",
		"switch wal":               "SELECT pg_switch_wal()",
		"replication slot":         "SELECT pg_create_physical_replication_slot('x')",
		"logical slot":             "SELECT pg_create_logical_replication_slot('x', 'pgoutput')",
		"subscription":             "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p",
		"publication of all":       "CREATE PUBLICATION p FOR ALL TABLES",
		"tablespace":               "CREATE TABLESPACE t LOCATION " + literal(filepath.Dir(outside)),
		"shared memory statistics": "SELECT pg_stat_reset()",
		"backtrace":                "SELECT pg_log_backend_memory_contexts(1)",
	} {
		_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
		if state := sqlState(err); state != insufficientPrivilege {
			t.Errorf("%s: got %v, want %s", name, err, insufficientPrivilege)
		}
	}
	if _, err := os.Stat(outside); err == nil {
		t.Error("the role wrote a file")
	}
}

func TestRoleNeitherSeesNorEndsTheSessionsOfOthers(t *testing.T) {
	e := newEngine(t)
	mine, theirs := newWorkspace(t, e), newWorkspace(t, e)
	other, err := connectRole(t, theirs, theirs.Database)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), "SELECT 'their secret'"); err != nil {
		t.Fatal(err)
	}
	conn, err := connectRole(t, mine, mine.Database)
	if err != nil {
		t.Fatal(err)
	}
	var seen int
	err = conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (query LIKE '%their secret%' OR client_addr IS NOT NULL OR state IS NOT NULL)").Scan(&seen)
	if err != nil || seen != 0 {
		t.Errorf("sees %d sessions of others, %v", seen, err)
	}
	pid := other.PgConn().PID()
	for _, call := range []string{"pg_terminate_backend", "pg_cancel_backend"} {
		if _, err := conn.Exec(t.Context(), fmt.Sprintf("SELECT %s(%d)", call, pid)); sqlState(err) != insufficientPrivilege {
			t.Errorf("%s: got %v", call, err)
		}
	}
	if err := other.Ping(t.Context()); err != nil {
		t.Errorf("the other's session ended: %v", err)
	}
}

func TestRoleOwnsItsDatabase(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	asRole(t, target,
		"CREATE TABLE t (a serial PRIMARY KEY)", "CREATE TEMP TABLE tt (a int)", "CREATE SCHEMA s", "CREATE EXTENSION pg_trgm",
		"CREATE EXTENSION pgcrypto", "CREATE PUBLICATION p FOR TABLE t", "SELECT lo_create(0)", "COMMENT ON SCHEMA public IS 'ours'",
		"GRANT SELECT ON t TO PUBLIC", "ALTER SCHEMA public RENAME TO renamed", "DROP SCHEMA renamed CASCADE",
		"COMMENT ON DATABASE "+target.Database+" IS 'ours too'", "VACUUM ANALYZE")
}
