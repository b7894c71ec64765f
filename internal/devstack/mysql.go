package devstack

import (
	"context"
	"log/slog"
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
	server *server
	store  *mysqlStore
}

// StartMySQL runs MariaDB, or MySQL where there is no MariaDB or the PATH has
// MySQL first, in c.Dir and waits until it answers: a unix socket and no TCP
// port, a binary log in row format that is as durable as the data, utf8mb4, and
// a random password of the user root, made on first start. As root, the server
// runs as the account mysql. A missing program is a *MissingError; a folder that
// another process holds is ErrInUse.
func StartMySQL(ctx context.Context, c MySQLConfig) (*MySQL, error) {
	programs, err := findMySQL(filepath.Join(c.Dir, "data"))
	if err != nil {
		return nil, err
	}
	m := &MySQL{}
	m.server, err = startServer(ctx, kind{
		name: "mysql",
		stop: syscall.SIGTERM, // ends the sessions, writes everything
		quit: syscall.SIGKILL, // the next start recovers
	}, c.Dir, c.Log, func(dir string) (_ store, err error) {
		m.store, err = openMySQLStore(dir, programs, c.Settings)
		return m.store, err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Socket is the path of the unix socket. It is in the server's own folder, which
// only its account and root may enter.
func (m *MySQL) Socket() string { return m.store.socket(mysqlSocket) }

// User is the administrator's name.
func (m *MySQL) User() string { return mysqlAdmin }

// Password is the administrator's.
func (m *MySQL) Password() string { return m.store.password }

// Stop ends the server: while ctx lasts cleanly, afterwards less politely.
func (m *MySQL) Stop(ctx context.Context) error { return m.server.stop(ctx) }
