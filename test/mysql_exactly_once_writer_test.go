package test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// mysqlWriter is a client of MySQL.
type mysqlWriter struct {
	*crashWriter
	conn   *sql.Conn
	blocks bool // the server runs blocks outside of procedures
}

// driver sends units in every way that a driver can.
func (w *mysqlWriter) driver() error {
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

func (w *mysqlWriter) simple() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, s), s)
}

func (w *mysqlWriter) prepared() error {
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

func (w *mysqlWriter) message() error {
	a, b := w.statement(), w.statement()
	return w.sent(execMySQL(w.conn, a+"; SELECT 1; "+b), a, b)
}

func (w *mysqlWriter) dynamic() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, "PREPARE s FROM '"+s+"'; EXECUTE s; DEALLOCATE PREPARE s"), s)
}

// rolledBack is a schema change that its transaction's rollback does not undo.
func (w *mysqlWriter) rolledBack() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, "START TRANSACTION; "+s+"; ROLLBACK"), s)
}

func (w *mysqlWriter) block() error {
	a, b := w.statement(), w.statement()
	return w.sent(execMySQL(w.conn, fmt.Sprintf("BEGIN NOT ATOMIC EXECUTE IMMEDIATE '%s'; %s; END", a, b)), a, b)
}

// client gives MariaDB's client a script without an end, and reads the lines
// that it prints after each: what it has printed, it was told.
func (w *mysqlWriter) client(arguments []string) error {
	cmd := exec.Command("mariadb", append(arguments, "--unbuffered")...)
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
