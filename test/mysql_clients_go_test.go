package test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The Go driver (https://github.com/go-sql-driver/mysql), in both protocols: it
// prepares what has parameters, unless it is told to put them into the text.

var driverProtocols = []struct {
	name   string
	change func(*mysql.Config)
}{
	{"binary", func(*mysql.Config) {}},
	{"text", interpolated},
}

func TestGoMySQLDriverVerifiesTheServer(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-tls", "control").login()
	wantColumn(t, l.connect(t), "SELECT 1", "1")
	for _, suite := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conn := l.connect(t, func(c *mysql.Config) { c.TLS.MinVersion, c.TLS.MaxVersion = suite, suite })
		wantColumn(t, conn, "SELECT 2", "2")
	}
	other := l
	other.caFile = filepath.Join(t.TempDir(), "other.crt")
	writeAuthority(t, other.caFile)
	var unknown *tls.CertificateVerificationError
	if _, err := other.tryConnect(t); !errors.As(err, &unknown) {
		t.Errorf("another authority: got %v, want its certificate refused", err)
	}
	plain := l
	plain.caFile = ""
	_, err := plain.tryConnect(t)
	contains(t, "without TLS", wantNumber(t, "without TLS", err, 3159), "TLS")
	if conn, err := l.tryConnect(t, func(c *mysql.Config) { c.TLS.MinVersion, c.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is accepted")
	}
}

func TestGoMySQLDriverIsToldOfAWrongLogin(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-login", "control").login()
	told := map[string]bool{}
	for what, change := range map[string]func(*mysql.Config){
		"password": func(c *mysql.Config) { c.Passwd += "x" },
		"none":     func(c *mysql.Config) { c.Passwd = "" },
		"database": func(c *mysql.Config) { c.DBName = "nowhere_workspace" },
	} {
		_, err := l.tryConnect(t, change)
		told[wantNumber(t, what, err, 1045)] = true
	}
	if len(told) != 1 {
		t.Errorf("wrong logins can be told apart: %v", told)
	}
}

// TestGoMySQLDriverHasValuesOfEveryType writes and reads each in both protocols.
func TestGoMySQLDriverHasValuesOfEveryType(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-types", "tenant").login()
	berlin := time.FixedZone("", 3600)
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456000, berlin)
	kinds := []struct {
		declared string
		given    any
		want     any
	}{
		{"TINYINT", -128, int64(-128)},
		{"SMALLINT UNSIGNED", 65535, int64(65535)},
		{"INT", -2147483648, int64(-2147483648)},
		{"BIGINT", int64(-9223372036854775808), int64(-9223372036854775808)},
		{"BIGINT UNSIGNED", uint64(18446744073709551615), uint64(18446744073709551615)},
		{"DECIMAL(30,10)", "12345678901234567890.0123456789", "12345678901234567890.0123456789"},
		{"DOUBLE", 1.5e300, 1.5e300},
		{"FLOAT", float32(0.25), float32(0.25)},
		{"BIT(12)", []byte{0x0a, 0xbc}, []byte{0x0a, 0xbc}},
		{"BOOLEAN", true, int64(1)},
		{"CHAR(10) CHARACTER SET utf8mb4", "ünï 😀", "ünï 😀"},
		{"VARBINARY(10)", []byte{0, 255, 10, '\'', '\\'}, []byte{0, 255, 10, '\'', '\\'}},
		{"LONGTEXT", strings.Repeat("long ", 20_000), strings.Repeat("long ", 20_000)},
		{"BLOB", []byte{}, []byte{}},
		{"ENUM('a','it''s')", "it's", "it's"},
		{"SET('x','y','z')", "x,z", "x,z"},
		{"DATE", "2024-02-29", time.Date(2024, 2, 29, 0, 0, 0, 0, berlin)},
		{"DATETIME(6)", at, at},
		{"TIMESTAMP(6) NULL", at, at},
		{"DATETIME", at.Truncate(time.Second), at.Truncate(time.Second)},
		{"TIME(3)", "-838:59:58.999", "-838:59:58.999"},
		{"YEAR", 2155, int64(2155)},
		{"INT", nil, nil},
		{"DATETIME", nil, nil},
	}
	var columns, holes []string
	var given []any
	for i, k := range kinds {
		columns, holes, given = append(columns, fmt.Sprintf("c%d %s", i, k.declared)), append(holes, "?"), append(given, k.given)
	}
	for _, way := range driverProtocols {
		t.Run(way.name, func(t *testing.T) {
			conn := l.connect(t, way.change, func(c *mysql.Config) { c.ParseTime, c.Loc = true, berlin })
			change(t, conn, "DROP TABLE IF EXISTS kinds")
			change(t, conn, "CREATE TABLE kinds ("+strings.Join(columns, ", ")+")")
			change(t, conn, "INSERT INTO kinds VALUES ("+strings.Join(holes, ", ")+")", given...)
			got := make([]any, len(kinds))
			into := make([]any, len(kinds))
			for i := range got {
				into[i] = &got[i]
			}
			if err := conn.QueryRowContext(t.Context(), "SELECT * FROM kinds WHERE 1 = ?", 1).Scan(into...); err != nil {
				t.Fatal(err)
			}
			for i, k := range kinds {
				if !sameValue(got[i], k.want) {
					t.Errorf("%s: got %.80v (%T), want %.80v", k.declared, got[i], got[i], k.want)
				}
			}
		})
	}
}

// sameValue compares a driver's value with the one meant, which may have come as
// text or number.
func sameValue(got, want any) bool {
	if at, ok := want.(time.Time); ok {
		is, ok := got.(time.Time)
		return ok && is.Equal(at)
	}
	if text, ok := got.([]byte); ok {
		if want, ok := want.([]byte); ok {
			return string(text) == string(want)
		}
		return string(text) == fmt.Sprint(want)
	}
	return fmt.Sprint(got) == fmt.Sprint(want)
}

// TestGoMySQLDriverMovesLargeValues, which need packets beyond 16 MB.
func TestGoMySQLDriverMovesLargeValues(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-large", "tenant").login()
	for _, way := range driverProtocols {
		t.Run(way.name, func(t *testing.T) {
			conn := l.connect(t, way.change)
			change(t, conn, "CREATE TABLE IF NOT EXISTS large (id INT PRIMARY KEY, v LONGTEXT)")
			for _, size := range []int{1<<24 - 1, 1 << 24, 20 << 20} {
				value := strings.Repeat("0123456789abcdef", size/16+1)[:size]
				change(t, conn, "REPLACE INTO large VALUES (1, ?)", value)
				got, err := column(conn, "SELECT v FROM large WHERE id = ?", 1)
				if err != nil || len(got) != 1 || got[0] != value {
					t.Errorf("%d bytes came back as something else: %v", size, err)
				}
			}
		})
	}
}

func TestGoMySQLDriverReadsSeveralResults(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-results", "tenant").login()
	conn := l.connect(t, multiStatements)
	rows, err := conn.QueryContext(t.Context(), "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT); INSERT INTO t (v) VALUES (7), (8); SELECT v FROM t; DO 1; SELECT 'last', id FROM t WHERE id = 2")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for {
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]sql.NullString, len(names))
			into := make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(names, values))
		}
		if !rows.NextResultSet() {
			break
		}
	}
	want := "[[v] [{7 true}] [v] [{8 true}] [last id] [{last true} {2 true}]]"
	if err := rows.Err(); err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v %v, want %s", got, err, want)
	}
	_, err = conn.ExecContext(t.Context(), "SELECT 1; SELECT nothing FROM t; CREATE TABLE never (id INT)")
	wantNumber(t, "an error between", err, 1054)
	wantColumn(t, conn, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'never'", "0")
	_, err = l.connect(t).ExecContext(t.Context(), "SELECT 1; SELECT 2")
	wantNumber(t, "several without the option", err, 1064)

	change(t, conn, "CREATE PROCEDURE both_of(IN n INT) BEGIN SELECT n; SELECT n + 1; END")
	called, err := conn.QueryContext(t.Context(), "CALL both_of(?)", 5)
	if err != nil {
		t.Fatal(err)
	}
	defer called.Close()
	sum := 0
	for more := true; more; more = called.NextResultSet() {
		for called.Next() {
			var n int
			if err := called.Scan(&n); err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	if sum != 11 {
		t.Errorf("the results of a procedure add up to %d, want 11", sum)
	}
}

func TestGoMySQLDriverCountsWhatIsAffected(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-counts", "control").login()
	conn := l.connect(t)
	change(t, conn, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)")
	for _, way := range driverProtocols {
		t.Run(way.name, func(t *testing.T) {
			changed, found := l.connect(t, way.change), l.connect(t, way.change, func(c *mysql.Config) { c.ClientFoundRows = true })
			change(t, changed, "TRUNCATE TABLE t")
			result := change(t, changed, "INSERT INTO t (v) VALUES (?), (?), (?)", 1, 2, 3)
			id, _ := result.LastInsertId()
			if n, err := result.RowsAffected(); n != 3 || id != 1 || err != nil {
				t.Errorf("INSERT: got %d rows from id %d %v, want 3 from 1", n, id, err)
			}
			for _, c := range []struct {
				conn *sql.Conn
				want int64
			}{{changed, 1}, {found, 3}} {
				change(t, changed, "UPDATE t SET v = id")
				change(t, changed, "UPDATE t SET v = 9 WHERE id < 3")
				if n, err := change(t, c.conn, "UPDATE t SET v = ?", 9).RowsAffected(); n != c.want || err != nil {
					t.Errorf("UPDATE: got %d %v, want %d", n, err, c.want)
				}
			}
		})
	}
}

// TestGoMySQLDriverCancels: a context that ends takes the statement with it, at
// the server too.
func TestGoMySQLDriverCancels(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-cancel", "tenant").login()
	watcher := l.connect(t)
	running := func() bool {
		found, err := column(watcher, "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP(77%'")
		return err == nil && len(found) > 0
	}
	for _, way := range driverProtocols {
		t.Run(way.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			conn := l.connect(t, way.change)
			ended := make(chan error, 1)
			go func() {
				_, err := conn.ExecContext(ctx, "SELECT SLEEP(77 + ?)", 0)
				ended <- err
			}()
			eventually(t, "the statement runs", running)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want it cancelled", err)
			}
			eventually(t, "the server stopped too", func() bool { return !running() })
		})
	}
}

func TestGoMySQLDriverKeepsTransactions(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-transactions", "control").login()
	pool := l.pool(t)
	change(t, l.connect(t), "CREATE TABLE t (id INT PRIMARY KEY)")
	for _, end := range []string{"commit", "rollback"} {
		tx, err := pool.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (?)", len(end)); err != nil {
			t.Fatal(err)
		}
		finish := map[string]func() error{"commit": tx.Commit, "rollback": tx.Rollback}[end]
		if err := finish(); err != nil {
			t.Errorf("%s: %v", end, err)
		}
	}
	wantColumn(t, l.connect(t), "SELECT id FROM t", "6")
	reading, err := pool.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = reading.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	wantNumber(t, "write of a reading transaction", err, 1792)
	if err := reading.Rollback(); err != nil {
		t.Error(err)
	}
}

// TestGoMySQLDriverPools shares few connections between many users of them, each
// of which must get its own answer.
func TestGoMySQLDriverPools(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-pool", "tenant").login()
	for _, way := range driverProtocols {
		t.Run(way.name, func(t *testing.T) {
			pool := l.pool(t, way.change)
			pool.SetMaxOpenConns(10)
			pool.SetMaxIdleConns(3)
			var users sync.WaitGroup
			for user := range 30 {
				users.Go(func() {
					for i := range 20 {
						var got string
						want := fmt.Sprintf("%d of %d", i, user)
						if err := pool.QueryRowContext(t.Context(), "SELECT CONCAT(?, ' of ', ?)", i, user).Scan(&got); err != nil || got != want {
							t.Errorf("got %q %v, want %q", got, err, want)
							return
						}
					}
				})
			}
			users.Wait()
		})
	}
}

func TestGoMySQLDriverLoadsFromAReader(t *testing.T) {
	l := shared.mysqlDatabase(t, "my-go-load", "tenant").login()
	conn := l.connect(t)
	change(t, conn, "CREATE TABLE t (id INT, v VARCHAR(40))")
	mysql.RegisterReaderHandler("names", func() io.Reader { return strings.NewReader(strings.Repeat("1,one\n2,two\n", 50_000)) })
	defer mysql.DeregisterReaderHandler("names")
	n, err := change(t, conn, "LOAD DATA LOCAL INFILE 'Reader::names' INTO TABLE t FIELDS TERMINATED BY ','").RowsAffected()
	if n != 100_000 || err != nil {
		t.Errorf("got %d rows %v, want 100000", n, err)
	}
	wantColumn(t, conn, "SELECT COUNT(*) FROM t WHERE v = 'two'", "50000")
}
