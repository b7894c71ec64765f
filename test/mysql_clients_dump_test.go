package test

import (
	"regexp"
	"strings"
	"testing"
)

// A dump of a workspace, with its data, and what becomes of it elsewhere.

// aloneMySQL makes a workspace in a project of its own, so that a dump program's
// session is in it before it names its database.
func (in *installation) aloneMySQL(t testing.TB, name, mode string) mysqlDatabase {
	t.Helper()
	return in.project(t, name).mysqlDatabase(t, name, mode)
}

// dumped is the whole database as SQL, by the program of the server's makers.
func (d mysqlDatabase) dumped(t testing.TB, args ...string) string {
	t.Helper()
	l := d.login()
	args = append(args, "--routines", "--triggers", "--events", "--skip-dump-date", "--single-transaction", "--quick", "--hex-blob", l.database)
	if d.isMariaDB(t) {
		return l.run(t, "", "mariadb-dump", args...)
	}
	cmd := l.command(t, "mysqldump")
	cmd.Args = append(append([]string{"mysqldump"}, l.mysqlArguments()...), append(args, "--no-tablespaces", "--set-gtid-purged=OFF")...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mysqldump: %v\n%s", err, stderr.String())
	}
	return string(out)
}

// mysqlArguments are those of the client programs of MySQL.
func (l mysqlLogin) mysqlArguments() []string {
	host, port, _ := strings.Cut(l.addr, ":")
	return []string{"--no-defaults", "--user=" + l.user, "--password=" + l.password, "--default-character-set=utf8mb4",
		"--protocol=tcp", "--host=" + host, "--port=" + port, "--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=" + l.caFile}
}

const shopData = `
CREATE TABLE goods (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, price DECIMAL(12,4), made DATETIME(6), raw BLOB,
	shape GEOMETRY, doc JSON, kind ENUM('a','b','it''s'), flags SET('x','y'), bits BIT(9), total DECIMAL(14,4) AS (price * 2) STORED, KEY (name));
CREATE TABLE moved (good BIGINT UNSIGNED NOT NULL, at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), note TEXT,
	CONSTRAINT of_good FOREIGN KEY (good) REFERENCES goods (id) ON DELETE CASCADE);
INSERT INTO goods (name, price, made, raw, shape, doc, kind, flags, bits) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
	SELECT CONCAT('good "', i, '" \\ ''x'' 😀'), i / 7, '2024-02-29 12:00:00.123456' + INTERVAL i MINUTE, UNHEX(SHA2(i, 256)), POINT(i, -i),
		JSON_OBJECT('n', i), 1 + i % 3, i % 4, i % 512 FROM n;
INSERT INTO moved (good, at, note) SELECT id, '2024-01-01' + INTERVAL id HOUR, REPEAT(name, 20) FROM goods;
CREATE VIEW dear AS SELECT name, price FROM goods WHERE price > 100;
CREATE TRIGGER trimmed BEFORE INSERT ON goods FOR EACH ROW SET NEW.name = TRIM(NEW.name);
DELIMITER //
CREATE FUNCTION doubled(n INT) RETURNS INT DETERMINISTIC BEGIN RETURN n * 2; END//
CREATE PROCEDURE cheap(IN bound DECIMAL(12,4)) BEGIN SELECT name FROM goods WHERE price < bound; END//
CREATE EVENT yearly ON SCHEDULE EVERY 1 YEAR DISABLE DO BEGIN DELETE FROM moved; END//
DELIMITER ;
`

// TestMySQLDumpAndRestore carries a workspace into another, with its data.
func TestMySQLDumpAndRestore(t *testing.T) {
	from := shared.aloneMySQL(t, "my-dump-from", "tenant")
	l := from.login()
	l.client(t, shopData)
	names := func(text string, d mysqlDatabase) string {
		return strings.NewReplacer(d.role(t), "role", d.name, "name").Replace(text)
	}
	want := names(from.dumped(t), from)
	contains(t, "the dump", want, "CREATE TABLE `goods`", "good \\\"899\\\"", "trimmed", "FUNCTION `doubled`", "PROCEDURE `cheap`", "EVENT `yearly`", "VIEW `dear`")
	if strings.Contains(strings.ToLower(want), "tenantsdb") {
		t.Error("the dump has something of ours in it")
	}
	// Another role may not take this one's programs over: a dump for another
	// account is made without definers, as everywhere.
	definer := regexp.MustCompile(`DEFINER=` + "`[^`]*`@`[^`]*`")
	script := definer.ReplaceAllString(from.dumped(t), "")

	to := shared.aloneMySQL(t, "my-dump-to", "tenant")
	for _, again := range []string{"into an empty one", "over what is there"} {
		t.Run(again, func(t *testing.T) {
			to.login().client(t, script)
			wantEqual(t, names(to.dumped(t), to), want)
		})
	}
	if len(to.queue(t)) == 0 {
		t.Error("the restored schema is not in the queue")
	}
	t.Run("row by row", func(t *testing.T) {
		piped := shared.aloneMySQL(t, "my-dump-pipe", "control")
		piped.login().client(t, definer.ReplaceAllString(from.dumped(t, "--skip-extended-insert", "--complete-insert"), ""))
		wantEqual(t, names(piped.dumped(t), piped), want)
	})
	t.Run("with what needs an administrator", func(t *testing.T) {
		s := l.try(t, "", "mariadb-dump", "--master-data", l.database)
		if s.err == nil || !strings.Contains(s.stderr, "ccess denied") {
			t.Errorf("--master-data: got %v %s", s.err, s.stderr)
		}
	})
}

// TestMySQLDumpOfOneAmongSeveral: the dump program asks the server some things
// before it names its database, when it is in none of the project's.
func TestMySQLDumpOfOneAmongSeveral(t *testing.T) {
	d := shared.mysqlDatabase(t, "my-dump-one", "control")
	shared.mysqlDatabase(t, "my-dump-other", "control")
	l := d.login()
	l.client(t, "CREATE TABLE goods (id INT); INSERT INTO goods VALUES (1), (2)")
	cmd := l.command(t, "mysqldump")
	if !dumpsMariaDB(t) {
		cmd.Args = append([]string{"mysqldump"}, l.mysqlArguments()...)
	}
	cmd.Args = append(cmd.Args, "--single-transaction", "--routines", l.database)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mysqldump: %v\n%s", err, stderr.String())
	}
	// MariaDB's puts each row on a line of its own.
	rows := strings.NewReplacer("VALUES\n", "VALUES ", ",\n(", ",(").Replace(string(out))
	contains(t, "the dump", rows, "CREATE TABLE `goods`", "INSERT INTO `goods` VALUES (1),(2)", "Dump completed on")
}

// TestMySQLDumpBeyondTheRowLimit must fail loudly: half a dump is worse than
// none.
func TestMySQLDumpBeyondTheRowLimit(t *testing.T) {
	d := shared.aloneMySQL(t, "my-dump-limit", "control")
	l := d.login()
	l.client(t, "CREATE TABLE t (id INT); INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT a.i FROM n a JOIN (SELECT 1 UNION ALL SELECT i FROM n WHERE i < 11) b")
	s := l.try(t, "", "mariadb-dump", l.database)
	if s.err == nil {
		t.Error("a dump of more rows than allowed succeeded")
	}
	contains(t, "mariadb-dump", s.stderr, `"my-dump-limit" allows a statement to return 10000 rows (max_rows_per_query)`)
	d.set(t, map[string]any{"max_rows_per_query": 0})
	if dump := l.run(t, "", "mariadb-dump", "--skip-extended-insert", l.database); strings.Count(dump, "INSERT INTO `t`") != 11_000 {
		t.Errorf("the dump without a limit has %d rows", strings.Count(dump, "INSERT INTO `t`"))
	}
}
