package test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlCrashWriter is one client of MySQL that changes the schema until the
// program dies.
type mysqlCrashWriter struct {
	crashWriter
	mysql  mysqlDatabase
	conn   *sql.Conn
	blocks bool // the server runs blocks outside of procedures
}

// newMySQLWriters makes the clients of one round: four sessions of a driver, a
// client program, and one that uses the admin API. Tables of earlier rounds are
// divided among them.
func newMySQLWriters(t *testing.T, d mysqlDatabase, seed uint64, round int, h history, blocks bool, units chan<- struct{}) []*mysqlCrashWriter {
	t.Helper()
	var writers []*mysqlCrashWriter
	for i := range 6 {
		w := &mysqlCrashWriter{mysql: d, blocks: blocks, crashWriter: crashWriter{
			name:     fmt.Sprintf("r%d_w%d", round, i),
			random:   rand.New(rand.NewPCG(seed, uint64(round*100+i+1))),
			database: d.database,
			units:    units,
		}}
		switch i {
		case 4:
			w.kind, w.loop = "the client", w.client
		case 5:
			w.kind, w.loop = "the API", w.api
		default:
			w.kind, w.loop, w.conn = "a driver", w.driver, d.connect(t)
		}
		writers = append(writers, w)
	}
	for i, name := range slices.Sorted(maps.Keys(h.tables)) {
		w := writers[i%len(writers)]
		w.own = append(w.own, name)
	}
	return writers
}

// run changes the schema until an error that comes of the program's death.
func (w *mysqlCrashWriter) run() {
	err := w.loop()
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && string(refused.SQLState[:]) != "08S01" {
		w.unexpected = fmt.Errorf("%s: %w", w.name, err)
	}
}

// driver sends units in every way that a driver can.
func (w *mysqlCrashWriter) driver() error {
	kinds := []func() error{w.simple, w.prepared, w.message, w.dynamic, w.rolledBack}
	if w.blocks {
		kinds = append(kinds, w.block)
	}
	for {
		if err := kinds[w.random.IntN(len(kinds))](); err != nil {
			return err
		}
	}
}

func (w *mysqlCrashWriter) simple() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, s), s)
}

func (w *mysqlCrashWriter) prepared() error {
	s := w.statement()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stmt, err := w.conn.PrepareContext(ctx, s)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx)
	return w.sent(errors.Join(err, stmt.Close()), s)
}

func (w *mysqlCrashWriter) message() error {
	a, b := w.statement(), w.statement()
	return w.sent(execMySQL(w.conn, a+"; SELECT 1; "+b), a, b)
}

func (w *mysqlCrashWriter) dynamic() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, "PREPARE s FROM '"+s+"'; EXECUTE s; DEALLOCATE PREPARE s"), s)
}

// rolledBack is a schema change that its transaction's rollback does not undo.
func (w *mysqlCrashWriter) rolledBack() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, "START TRANSACTION; "+s+"; ROLLBACK"), s)
}

func (w *mysqlCrashWriter) block() error {
	a, b := w.statement(), w.statement()
	return w.sent(execMySQL(w.conn, fmt.Sprintf("BEGIN NOT ATOMIC EXECUTE IMMEDIATE '%s'; %s; END", a, b)), a, b)
}

// client gives MariaDB's client a script without an end, and reads the lines
// that it prints after each: what it has printed, it was told.
func (w *mysqlCrashWriter) client() error {
	cmd := exec.Command("mariadb", append(w.mysql.clientArguments(), "--unbuffered")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait() //nolint:errcheck // it ends because its server died
	defer in.Close()
	lines := bufio.NewScanner(out)
	for {
		s := w.statement()
		if _, err := fmt.Fprintf(in, "%s; SELECT 'done';\n", s); err != nil {
			return err
		}
		if !lines.Scan() {
			return errors.New("the client has ended")
		}
		w.told(s)
	}
}

// clientArguments are those of MariaDB's programs.
func (d mysqlDatabase) clientArguments() []string {
	c := d.connection
	return []string{"--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4", "--host=127.0.0.1",
		fmt.Sprintf("--port=%v", c["port"]), "--user=" + c["user"].(string), "--password=" + c["password"].(string),
		"--ssl-ca=" + d.installation.CAFile, "--ssl-verify-server-cert", "--database=" + d.name}
}
