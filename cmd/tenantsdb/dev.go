package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// startPatience is how long a server may take to start: a first start
	// makes its files, one after a crash recovers.
	startPatience = 2 * time.Minute
	// stopPatience is how long it may take for a clean stop.
	stopPatience = 30 * time.Second
)

// development is `tenantsdb dev` on one data folder.
type development struct {
	dir    string
	stdout io.Writer
	log    *slog.Logger
}

// dev runs everything on this machine.
func dev(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	dir := flags.String("data", defaultDataDir(), "the `folder` that keeps everything")
	base := flags.Int("port-base", 0, "the first `port` of PostgreSQL, MySQL, MongoDB, Redis and admin, in that order (default the databases' own and 8080)")
	if err := parse(flags, args, stderr); err != nil {
		return err
	}
	if *base < 0 || *base > 65531 {
		fmt.Fprintf(stderr, "tenantsdb dev: --port-base %d: must be from 1 to 65531\n", *base)
		return errUsage
	}
	path, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	c := defaultConfig()
	c.DataDir = path
	c.MasterKey = os.Getenv("TENANTSDB_MASTER_KEY")
	c.MasterKeyFile = filepath.Join(path, "master.key")
	live, err := newLiveSettings(c, nil)
	if err != nil {
		return err
	}
	d := &development{dir: path, stdout: stdout, log: newLogger("text", stderr, live)}
	return d.run(ctx, c, live, *base)
}

// defaultDataDir is the system's place for root and the user's own for others.
func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/tenantsdb"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local", "share")), "tenantsdb")
}

func (d *development) run(ctx context.Context, c Config, live *liveSettings, base int) (err error) {
	if err := makeDataDir(d.dir); err != nil {
		return err
	}
	lock, err := devstack.Lock(d.path("lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := remove(d.path("ready.json")); err != nil {
		return err
	}
	redis, err := d.startRedis(ctx)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	on := []workspace.DatabaseType{workspace.PostgreSQL}
	if redis != nil {
		defer func() { err = errors.Join(err, d.stop(redis)) }()
		on = append(on, workspace.Redis)
	}
	s, err := d.openSockets(base, on)
	if err != nil {
		return err
	}
	server, err := d.startPostgres(ctx)
	if err != nil {
		s.close()
		return unlessStopped(ctx, err)
	}
	defer func() { err = errors.Join(err, d.stop(server)) }()
	c.PostgreSQL.PublicPort = port(s.postgresql)
	c.Servers = []PhysicalConfig{{
		Name:     "main",
		Type:     string(workspace.PostgreSQL),
		Socket:   server.SocketDir(),
		Port:     server.Port(),
		User:     server.User(),
		Password: server.Password(),
	}}
	if redis != nil {
		c.Redis.PublicPort = port(s.redis)
		c.Servers = append(c.Servers, PhysicalConfig{
			Name:     "redis",
			Type:     string(workspace.Redis),
			Socket:   redis.Socket(),
			User:     redis.User(),
			Password: redis.Password(),
		})
	}
	err = run(ctx, c, live, d.log, s, observer{
		bootstrap: func(b workspace.Bootstrap) error { return writeJSON(d.path("bootstrap.json"), b) },
		ready:     func() error { return d.announce(s) },
	})
	return errors.Join(err, remove(d.path("ready.json")))
}

func (d *development) path(name string) string { return filepath.Join(d.dir, name) }

// openSockets takes the ports that the flag names, or else those of the last
// start, so that connection strings stay valid, or the default ones.
func (d *development) openSockets(base int, on []workspace.DatabaseType) (sockets, error) {
	want := defaultPorts()
	if base > 0 {
		want = portsFrom(base)
	} else if _, err := readJSON(d.path("ports.json"), &want); err != nil {
		return sockets{}, err
	}
	s, err := openLocalSockets(want, on, base == 0, func(format string, args ...any) {
		fmt.Fprintf(d.stdout, format+"\n", args...)
	})
	if err != nil {
		return s, err
	}
	got := ports{PostgreSQL: port(s.postgresql), Redis: want.Redis, Admin: port(s.admin)}
	if len(s.redis) > 0 {
		got.Redis = port(s.redis)
	}
	if err := writeJSON(d.path("ports.json"), got); err != nil {
		s.close()
		return s, err
	}
	return s, nil
}

func (d *development) startPostgres(ctx context.Context) (*devstack.Postgres, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	return devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: d.path("postgresql"), Log: d.log})
}

// startRedis is nil, and says what to install, where the program is missing.
func (d *development) startRedis(ctx context.Context) (*devstack.Redis, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	server, err := devstack.StartRedis(ctx, devstack.RedisConfig{Dir: d.path("redis"), Log: d.log})
	if missing, ok := errors.AsType[*devstack.MissingError](err); ok {
		_, err = fmt.Fprintf(d.stdout, "Redis is off: %v\n", missing)
		return nil, err
	}
	return server, err
}

// unlessStopped is err, or nothing where we were told to stop while we started.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (d *development) stop(server interface{ Stop(context.Context) error }) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	return server.Stop(ctx)
}

// announce writes ready.json and prints the banner.
func (d *development) announce(s sockets) error {
	var b workspace.Bootstrap
	found, err := readJSON(d.path("bootstrap.json"), &b)
	if err != nil {
		return err
	}
	if !found {
		d.log.Warn("bootstrap.json is gone, and with it the first project's API key; keys made since still work")
	}
	r := newReadiness(b, s, d.path("certs"))
	if err := writeJSON(d.path("ready.json"), r); err != nil {
		return err
	}
	return r.print(d.stdout)
}
