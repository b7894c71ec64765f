package devstack

import (
	"context"
	"log/slog"
	"strconv"
	"syscall"
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
	server  *server
	cluster *cluster
}

// StartPostgres runs a PostgreSQL server in c.Dir and waits until it answers.
// On first start it makes the database cluster: UTF-8, locale C.UTF-8,
// SCRAM-SHA-256 for every connection and a random superuser password. As root,
// the server runs as the account postgres. A missing program is a
// *MissingError; a folder that another process holds is ErrInUse.
func StartPostgres(ctx context.Context, c PostgresConfig) (*Postgres, error) {
	p := &Postgres{}
	var err error
	p.server, err = startServer(ctx, kind{
		name: "postgresql",
		stop: syscall.SIGINT,  // "fast": ends the sessions, writes a checkpoint
		quit: syscall.SIGQUIT, // "immediate": the next start recovers
	}, c.Dir, c.Log, func(dir string) (_ store, err error) {
		p.cluster, err = findCluster(dir, c)
		return p.cluster, err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Socket is the path of the unix socket.
func (p *Postgres) Socket() string {
	return p.cluster.socket(".s.PGSQL." + strconv.Itoa(p.cluster.port))
}

// SocketDir is the folder of the unix socket, as libpq wants it for a host. It
// is the server's own; only its account and root may enter.
func (p *Postgres) SocketDir() string { return p.cluster.sockets }

// Port is that of the socket's name, and of TCP if the server listens there.
func (p *Postgres) Port() int { return p.cluster.port }

// User is the superuser's name.
func (p *Postgres) User() string { return superuser }

// Password is the superuser's.
func (p *Postgres) Password() string { return p.cluster.password }

// Programs is the folder of the server's programs (psql, pg_dump, …).
func (p *Postgres) Programs() string { return p.cluster.programs }

// Stop ends the server: while ctx lasts as "fast shutdown", which ends the
// sessions and leaves nothing to recover, afterwards less politely.
func (p *Postgres) Stop(ctx context.Context) error { return p.server.stop(ctx) }
