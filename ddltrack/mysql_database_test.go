package ddltrack

import "testing"

func TestDropsDatabaseMySQL(t *testing.T) {
	for sql, want := range map[string]bool{
		"DROP DATABASE shop":                                                                             true,
		"drop schema if exists `shop`":                                                                   true,
		" # why not\n/* now */ DROP -- really\n DATABASE shop":                                           true,
		"SELECT 1; DROP DATABASE shop; SELECT 2":                                                         true,
		"/*!40101 DROP DATABASE shop */":                                                                 true,
		"/*!40101DROP DATABASE shop*/":                                                                   true,
		"/*M! DROP DATABASE shop */":                                                                     true,
		"DROP /*!50000 DATABASE */ shop":                                                                 true,
		"CREATE OR REPLACE DATABASE shop":                                                                true,
		"create or replace schema shop collate utf8mb4_bin":                                              true,
		"SET STATEMENT max_statement_time = 1 FOR DROP SCHEMA shop":                                      true,
		"BEGIN NOT ATOMIC SELECT 1; DROP DATABASE shop; END":                                             true,
		"CREATE PROCEDURE p() DROP DATABASE shop":                                                        true,
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DROP /* it */ SCHEMA shop; END":                 true,
		"PREPARE s FROM 'DROP DATABASE shop'":                                                            true,
		"PREPARE s FROM \"drop\\ndatabase `shop`\"":                                                      true,
		"EXECUTE IMMEDIATE 'DROP DATABASE shop'":                                                         true,
		"EXECUTE IMMEDIATE CONCAT('DROP ', 'DATABASE ', name)":                                           true,
		"SET @s = 'DROP DATABASE shop'; PREPARE s FROM @s":                                               true,
		"CREATE PROCEDURE p() EXECUTE IMMEDIATE 'DROP DATABASE shop'":                                    true,
		"EXECUTE IMMEDIATE 'CREATE PROCEDURE p() EXECUTE IMMEDIATE ''DROP DATABASE shop'''":              true,
		"EXECUTE IMMEDIATE 'SELECT ''DROP DATABASE shop'''":                                              false,
		"PREPARE s FROM 'DROP TABLE database_names'":                                                     false,
		"PREPARE s FROM 'INSERT INTO t VALUES (?)'; INSERT INTO t VALUES ('dropped'); SELECT database()": false,
		"SET @s = 'DROP DATABASE shop'":                                                                  false,
		"CREATE PROCEDURE p() BEGIN DROP TABLE a; SELECT database(); END":                                false,
		"CREATE OR REPLACE VIEW v AS SELECT database()":                                                  false,
		"REPLACE INTO t SELECT schema()":                                                                 false,
		"ALTER TABLE t DROP `schema`":                                                                    false,
		"PREPARE s FROM 'DROP DATABASE shop":                                                             false,
		"DROP TABLE shop":                                                                                false,
		"DROP TABLE `database`":                                                                          false,
		"SELECT 'DROP DATABASE shop'":                                                                    false,
		"INSERT INTO notes VALUES (\"; DROP DATABASE shop\")":                                            false,
		"/* DROP DATABASE shop */ SELECT 1":                                                              false,
		"DROP VIEW a; SELECT database()":                                                                 false,
		"ALTER DATABASE shop CHARACTER SET utf8mb4":                                                      false,
		"CREATE DATABASE shop":                                                                           false,
		"":                                                                                               false,
	} {
		if got := DropsDatabaseMySQL([]byte(sql)); got != want {
			t.Errorf("%q: got %v", sql, got)
		}
	}
	for sql, want := range map[string]bool{
		"ALTER DATABASE COLLATE utf8mb4_bin": true, "/*!40100 alter */ schema shop character set utf8": true,
		"ALTER TABLE shop ADD a INT": false, "CREATE DATABASE shop": false, "alternate database": false,
	} {
		if got := MayAlterDatabaseMySQL([]byte(sql)); got != want {
			t.Errorf("alter: %q: got %v", sql, got)
		}
	}
	plain := []byte("SELECT a FROM dropped JOIN database_of d USING (id)")
	if n := testing.AllocsPerRun(100, func() { DropsDatabaseMySQL(plain) }); n != 0 {
		t.Errorf("%v allocations for a text without the words", n)
	}
}
