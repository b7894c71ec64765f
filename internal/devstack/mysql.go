package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// MySQLConfig says where and how a MySQL server runs.
type MySQLConfig struct {
	Dir      string            // everything the server keeps, made on first start
	Settings map[string]string // further settings of my.cnf, by their names on the command line
	Log      *slog.Logger      // of the supervision; nil discards
}

// MySQL is a running server of the MySQL protocol: MariaDB, or MySQL itself
// where that is what there is.
type MySQL struct {
	store   *mysqlStore
	process *process
	lock    *os.File
	output  *os.File // what the server writes
}

// StartMySQL runs MariaDB, or MySQL where there is no MariaDB or the PATH has
// MySQL first, in c.Dir and waits until it answers: a unix socket and no TCP port, a binary log in row
// format that is as durable as the data, utf8mb4, and a random password of the
// user root, made on first start. As root, the server runs as the account mysql.
// A missing program is a *MissingError; a folder that another process holds is
// ErrInUse.
func StartMySQL(ctx context.Context, c MySQLConfig) (*MySQL, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, fmt.Errorf("mysql folder: %w", err)
	}
	programs, err := findMySQL(filepath.Join(c.Dir, "data"))
	if err != nil {
		return nil, err
	}
	if err := makeFolder(c.Dir); err != nil {
		return nil, fmt.Errorf("mysql folder: %w", err)
	}
	lock, err := Lock(filepath.Join(c.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("mysql folder: %w", err)
	}
	m := &MySQL{lock: lock}
	if err := m.start(ctx, programs, c); err != nil {
		return nil, errors.Join(err, m.release())
	}
	return m, nil
}

func (m *MySQL) start(ctx context.Context, programs mysqlPrograms, c MySQLConfig) error {
	var err error
	if m.store, err = openMySQLStore(c, programs); err != nil {
		return err
	}
	if err := m.store.initialize(ctx); err != nil {
		return fmt.Errorf("initialize mysql: %w", err)
	}
	if m.output, err = openOutput(m.store.path("server.log")); err != nil {
		return fmt.Errorf("mysql log: %w", err)
	}
	m.process, err = startProcess(ctx, program{
		name:    "mysql",
		prepare: m.store.clearLeftovers,
		command: func() *exec.Cmd { return m.store.command(m.output) },
		ready:   m.store.answers,
		stop:    syscall.SIGTERM, // ends the sessions, writes everything
		quit:    syscall.SIGKILL, // the next start recovers
	}, c.Log)
	if err != nil {
		return fmt.Errorf("%w; the server said:\n%s", err, tail(m.output.Name()))
	}
	return nil
}

// Socket is the path of the unix socket. It is in the server's own folder, which
// only its account and root may enter.
func (m *MySQL) Socket() string { return m.store.socket() }

// User is the administrator's name.
func (m *MySQL) User() string { return mysqlAdmin }

// Password is the administrator's.
func (m *MySQL) Password() string { return m.store.password }

// Stop ends the server: while ctx lasts cleanly, afterwards less politely.
func (m *MySQL) Stop(ctx context.Context) error {
	return errors.Join(m.process.Stop(ctx), removeSocketFolder(m.store.sockets, m.store.dir), m.release())
}

// release lets the folder go once the server is gone.
func (m *MySQL) release() error {
	var err error
	if m.output != nil {
		err = m.output.Close()
	}
	return errors.Join(err, m.lock.Close())
}
