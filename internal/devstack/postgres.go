package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// PostgresConfig says where and how a PostgreSQL server runs.
type PostgresConfig struct {
	Dir      string            // everything the server keeps, made on first start
	TCP      string            // host:port to listen on beside the socket; empty: the socket only
	Settings map[string]string // further settings of postgresql.conf
	Log      *slog.Logger      // of the supervision; nil discards
}

// Postgres is a running PostgreSQL server.
type Postgres struct {
	cluster  *cluster
	process  *process
	lock     *os.File
	output   *os.File // what the server writes
	password string
}

// StartPostgres runs a PostgreSQL server in c.Dir and waits until it answers.
// On first start it makes the database cluster: UTF-8, locale C.UTF-8,
// SCRAM-SHA-256 for every connection and a random superuser password. As root,
// the server runs as the account postgres. A missing program is a
// *MissingError; a folder that another process holds is ErrInUse.
func StartPostgres(ctx context.Context, c PostgresConfig) (*Postgres, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, fmt.Errorf("postgresql folder: %w", err)
	}
	if err := makeFolder(c.Dir); err != nil {
		return nil, fmt.Errorf("postgresql folder: %w", err)
	}
	lock, err := Lock(filepath.Join(c.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("postgresql folder: %w", err)
	}
	p := &Postgres{lock: lock}
	if err := p.start(ctx, c); err != nil {
		return nil, errors.Join(err, p.release())
	}
	return p, nil
}

func (p *Postgres) start(ctx context.Context, c PostgresConfig) error {
	var err error
	if p.cluster, err = findCluster(c); err != nil {
		return err
	}
	if p.password, err = p.cluster.initialize(ctx); err != nil {
		return fmt.Errorf("initialize postgresql: %w", err)
	}
	if p.output, err = openOutput(p.cluster.path("server.log")); err != nil {
		return fmt.Errorf("postgresql log: %w", err)
	}
	p.process, err = startProcess(ctx, program{
		name:    "postgresql",
		prepare: p.cluster.clearLeftovers,
		command: func() *exec.Cmd { return p.cluster.command(p.output) },
		ready:   p.answers,
		stop:    syscall.SIGINT,  // "fast": ends the sessions, writes a checkpoint
		quit:    syscall.SIGQUIT, // "immediate": the next start recovers
	}, c.Log)
	if err != nil {
		return fmt.Errorf("%w; the server said:\n%s", err, tail(p.output.Name()))
	}
	return nil
}

// answers asks the server once whether it takes queries.
func (p *Postgres) answers(ctx context.Context) error {
	c, err := pgconn.ParseConfig("sslmode=disable dbname=postgres connect_timeout=5")
	if err != nil {
		return err
	}
	c.Host, c.Port = p.SocketDir(), uint16(p.Port())
	c.User, c.Password = p.User(), p.Password()
	c.Fallbacks, c.RuntimeParams = nil, nil
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Socket is the path of the unix socket.
func (p *Postgres) Socket() string {
	return filepath.Join(p.cluster.sockets, ".s.PGSQL."+strconv.Itoa(p.cluster.port))
}

// SocketDir is the folder of the unix socket, as libpq wants it for a host. It
// is the server's own; only its account and root may enter.
func (p *Postgres) SocketDir() string { return p.cluster.sockets }

// Port is that of the socket's name, and of TCP if the server listens there.
func (p *Postgres) Port() int { return p.cluster.port }

// User is the superuser's name.
func (p *Postgres) User() string { return superuser }

// Password is the superuser's.
func (p *Postgres) Password() string { return p.password }

// Programs is the folder of the server's programs (psql, pg_dump, …).
func (p *Postgres) Programs() string { return p.cluster.programs }

// Stop ends the server: while ctx lasts as "fast shutdown", which ends the
// sessions and leaves nothing to recover, afterwards less politely.
func (p *Postgres) Stop(ctx context.Context) error {
	return errors.Join(p.process.Stop(ctx), removeSocketFolder(p.cluster.sockets, p.cluster.dir), p.release())
}

// release lets the folder go once the server is gone.
func (p *Postgres) release() error {
	var err error
	if p.output != nil {
		err = p.output.Close()
	}
	return errors.Join(err, p.lock.Close())
}
