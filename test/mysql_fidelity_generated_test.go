package test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// mysqlSchemaWriter writes one random schema that both servers understand.
type mysqlSchemaWriter struct {
	schemaWriter
	names []string // of tables, quoted, each with an INT UNSIGNED key called id
}

// generateMySQLSchema is a script of that many tables, joined by foreign keys,
// with all that commonly hangs on tables.
func generateMySQLSchema(random *rand.Rand, tables int) string {
	w := &mysqlSchemaWriter{schemaWriter: schemaWriter{random: random}}
	w.line("CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;")
	for i := range tables {
		w.table(i)
	}
	return w.String()
}

func (w *mysqlSchemaWriter) table(i int) {
	name := fmt.Sprintf("t%03d", i)
	if w.chance(10) {
		name = fmt.Sprintf("`T %03d; \"x\" ``y```", i)
	}
	columns := []string{"id INT UNSIGNED NOT NULL AUTO_INCREMENT"}
	var plain []string
	for c := range 2 + w.random.IntN(8) {
		column := one(w.random, fmt.Sprintf("c%d", c), fmt.Sprintf("`C %d`", c))
		plain = append(plain, column)
		columns = append(columns, column+" "+w.column(column))
	}
	columns = append(columns, "PRIMARY KEY (id)")
	for r := range w.random.IntN(3) {
		if len(w.names) > 0 {
			columns = append(columns, fmt.Sprintf("r%d INT UNSIGNED", r),
				fmt.Sprintf("%sFOREIGN KEY (r%d) REFERENCES %s (id)%s", one(w.random, "", fmt.Sprintf("CONSTRAINT fk_%d_%d ", i, r)), r,
					one(w.random, w.names...), one(w.random, "", " ON DELETE CASCADE", " ON DELETE SET NULL ON UPDATE CASCADE")))
		}
	}
	options := one(w.random, "", "", " ENGINE=InnoDB", " DEFAULT CHARSET=latin1", " COLLATE=utf8mb4_bin", " COMMENT='about; it''s'", " ROW_FORMAT=COMPACT")
	w.line("%s %s (\n\t%s\n)%s;", one(w.random, "CREATE TABLE", "create table", "CREATE TABLE IF NOT EXISTS", "/* why */ CREATE /* ; */ TABLE"), name,
		strings.Join(columns, ",\n\t"), options)
	w.names = append(w.names, name)
	w.about(i, name, plain)
}

// column is a type with what may stand behind it.
func (w *mysqlSchemaWriter) column(name string) string {
	return one(w.random,
		"TEXT", "TEXT NOT NULL", "VARCHAR(40) DEFAULT 'it''s; \\'quoted\\''", "VARCHAR(30) CHARACTER SET latin1 COLLATE latin1_bin", "INT DEFAULT 0 NOT NULL",
		"DECIMAL(12,2) CHECK ("+name+" >= 0)", "BOOLEAN DEFAULT TRUE", "TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP", "DATE", "JSON", "BIGINT UNSIGNED UNIQUE",
		"ENUM('new', 'it''s', 'done;') DEFAULT 'new'", "SET('a', 'b;')", "BLOB", "DOUBLE", "CHAR(3) DEFAULT 'abc'", "TIME(3)", "BIT(4) DEFAULT b'0101'", "YEAR",
		"INT AS (CHAR_LENGTH('x; y')) VIRTUAL", "VARCHAR(20) GENERATED ALWAYS AS (CONCAT('x', 1)) STORED", "DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
		"VARBINARY(16) COMMENT 'raw; bytes'", "MEDIUMINT ZEROFILL", "POINT")
}

// about is what hangs on a table.
func (w *mysqlSchemaWriter) about(i int, name string, columns []string) {
	column := one(w.random, columns...)
	if w.chance(2) {
		w.line("CREATE %sINDEX by_id_%d ON %s (id%s);", one(w.random, "", "", "UNIQUE "), i, name, one(w.random, "", " DESC"))
	}
	if w.chance(4) {
		w.line("ALTER TABLE %s ADD INDEX%s (id), COMMENT 'about; %d';", name, one(w.random, "", " named"), i)
	}
	if w.chance(5) {
		w.line("CREATE TRIGGER touch_%d BEFORE UPDATE ON %s FOR EACH ROW SET @touched = twice(NEW.id);", i, name)
	}
	if w.chance(5) {
		w.line("CREATE %sVIEW v%d AS SELECT id, %s AS `the column` FROM %s WHERE id > %d;", one(w.random, "", "OR REPLACE ", "ALGORITHM=MERGE ", "SQL SECURITY INVOKER "),
			i, column, name, w.random.IntN(9))
	}
	if w.chance(6) {
		w.line("ALTER TABLE %s ADD COLUMN extra INT DEFAULT %d%s, ADD (more CHAR(2), most DATE);", name, w.random.IntN(9), one(w.random, "", " FIRST", " AFTER id"))
	}
	if w.chance(8) {
		w.line("ALTER TABLE %s RENAME COLUMN id TO number; ALTER TABLE %s RENAME COLUMN number TO id;", name, name)
	}
	if w.chance(9) {
		w.line("CREATE TABLE like_%d LIKE %s; DROP TABLE IF EXISTS like_%d%s;", i, name, i, one(w.random, "", "_not"))
	}
	if w.chance(10) {
		w.line("DELIMITER $$\nCREATE PROCEDURE p%d(IN a INT) BEGIN IF a > %d THEN SELECT 'x; y'; ELSE SELECT %s FROM %s; END IF; END$$\nDELIMITER ;", i, w.random.IntN(9), column, name)
	}
	if w.chance(12) {
		w.line("START TRANSACTION; ALTER TABLE %s ADD COLUMN stays INT; ROLLBACK;", name)
	}
	if w.chance(15) {
		w.line("SET sql_mode = %s;", one(w.random, "''", "'ANSI_QUOTES'", "'TRADITIONAL'", "DEFAULT"))
	}
}
