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

// RedisConfig says where and how a Redis server runs.
type RedisConfig struct {
	Dir      string            // everything the server keeps, made on first start
	Settings map[string]string // further settings of redis.conf
	Log      *slog.Logger      // of the supervision; nil discards
}

// Redis is a running Redis server.
type Redis struct {
	store   *redisStore
	process *process
	lock    *os.File
	output  *os.File // what the server writes
}

// StartRedis runs a Redis server in c.Dir and waits until it answers: 4096
// logical databases, an append-only file, a unix socket and no TCP port, and a
// random password of the user default, made on first start. As root, the server
// runs as the account redis. A missing program is a *MissingError; a folder
// that another process holds is ErrInUse.
func StartRedis(ctx context.Context, c RedisConfig) (*Redis, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, fmt.Errorf("redis folder: %w", err)
	}
	program, err := redisProgram()
	if err != nil {
		return nil, err
	}
	if err := makeFolder(c.Dir); err != nil {
		return nil, fmt.Errorf("redis folder: %w", err)
	}
	lock, err := Lock(filepath.Join(c.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("redis folder: %w", err)
	}
	r := &Redis{lock: lock}
	if err := r.start(ctx, program, c); err != nil {
		return nil, errors.Join(err, r.release())
	}
	return r, nil
}

func (r *Redis) start(ctx context.Context, binary string, c RedisConfig) error {
	var err error
	if r.store, err = openRedisStore(c, binary); err != nil {
		return err
	}
	if err := r.store.initialize(); err != nil {
		return fmt.Errorf("initialize redis: %w", err)
	}
	if r.output, err = openOutput(r.store.path("server.log")); err != nil {
		return fmt.Errorf("redis log: %w", err)
	}
	r.process, err = startProcess(ctx, program{
		name:    "redis",
		prepare: r.store.clearLeftovers,
		command: func() *exec.Cmd { return r.store.command(r.output) },
		ready:   r.store.answers,
		stop:    syscall.SIGTERM, // flushes the append-only file
		quit:    syscall.SIGKILL, // loses a second at most
	}, c.Log)
	if err != nil {
		return fmt.Errorf("%w; the server said:\n%s", err, tail(r.output.Name()))
	}
	return nil
}

// Socket is the path of the unix socket. It is in the server's own folder, which
// only its account and root may enter.
func (r *Redis) Socket() string { return r.store.socket() }

// User is the administrator's name.
func (r *Redis) User() string { return redisAdmin }

// Password is the administrator's.
func (r *Redis) Password() string { return r.store.password }

// Stop ends the server: while ctx lasts cleanly, afterwards less politely.
func (r *Redis) Stop(ctx context.Context) error {
	return errors.Join(r.process.Stop(ctx), removeSocketFolder(r.store.sockets, r.store.dir), r.release())
}

// release lets the folder go once the server is gone.
func (r *Redis) release() error {
	var err error
	if r.output != nil {
		err = r.output.Close()
	}
	return errors.Join(err, r.lock.Close())
}
