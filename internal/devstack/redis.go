package devstack

import (
	"context"
	"log/slog"
	"syscall"
)

// RedisConfig says where and how a Redis server runs.
type RedisConfig struct {
	Dir      string            // everything the server keeps, made on first start
	Settings map[string]string // further settings of redis.conf
	Log      *slog.Logger      // of the supervision; nil discards
}

// Redis is a running Redis server.
type Redis struct {
	server *server
	store  *redisStore
}

// StartRedis runs a Redis server in c.Dir and waits until it answers: 4096
// logical databases, an append-only file, a unix socket and no TCP port, and a
// random password of the user default, made on first start. As root, the server
// runs as the account redis. A missing program is a *MissingError; a folder
// that another process holds is ErrInUse.
func StartRedis(ctx context.Context, c RedisConfig) (*Redis, error) {
	binary, err := redisProgram()
	if err != nil {
		return nil, err
	}
	r := &Redis{}
	r.server, err = startServer(ctx, kind{
		name: "redis",
		stop: syscall.SIGTERM, // flushes the append-only file
		quit: syscall.SIGKILL, // loses a second at most
	}, c.Dir, c.Log, func(dir string) (_ store, err error) {
		r.store, err = openRedisStore(dir, binary, c.Settings)
		return r.store, err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Socket is the path of the unix socket. It is in the server's own folder, which
// only its account and root may enter.
func (r *Redis) Socket() string { return r.store.socket(redisSocket) }

// User is the administrator's name.
func (r *Redis) User() string { return redisAdmin }

// Password is the administrator's.
func (r *Redis) Password() string { return r.store.password }

// Stop ends the server: while ctx lasts cleanly, afterwards less politely.
func (r *Redis) Stop(ctx context.Context) error { return r.server.stop(ctx) }
