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
	"slices"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// development is `tenantsdb dev` on one data folder.
type development struct {
	dir    string
	types  []workspace.DatabaseType // to run
	stdout io.Writer
	log    *slog.Logger
}

// dev runs everything on this machine.
func dev(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	dir := flags.String("data", defaultDataDir(), "the `folder` that keeps everything")
	only := flags.String("only", "", "the `types` of database to run, such as postgresql,redis (default all)")
	base := flags.Int("port-base", 0, "the first `port` of PostgreSQL, MySQL, MongoDB, Redis and admin, in that order (default the databases' own and 8080)")
	if err := parse(flags, args, stderr); err != nil {
		return err
	}
	if *base < 0 || *base > 65531 {
		fmt.Fprintf(stderr, "tenantsdb dev: --port-base %d: must be from 1 to 65531\n", *base)
		return errUsage
	}
	types, err := chosen(*only)
	if err != nil {
		fmt.Fprintln(stderr, "tenantsdb dev:", err)
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
	// Of the configuration that is the part that a developer may want otherwise.
	imports := slices.DeleteFunc(os.Environ(), func(pair string) bool { return !strings.HasPrefix(pair, environmentPrefix+"IMPORTS_") })
	if err := applyEnvironment(&c, imports); err != nil {
		return fmt.Errorf("configuration by environment: %w", err)
	}
	live, err := newLiveSettings(c, nil)
	if err != nil {
		return err
	}
	d := &development{dir: path, types: types, stdout: stdout, log: newLogger("text", stderr, live)}
	return d.run(ctx, c, live, *base)
}

// chosen are the types that the flag names, in our order, or all.
func chosen(only string) ([]workspace.DatabaseType, error) {
	if only == "" {
		return offered(), nil
	}
	named := map[workspace.DatabaseType]bool{}
	for name := range strings.SplitSeq(only, ",") {
		t, known := workspace.ParseDatabaseType(name)
		if !known || !slices.Contains(offered(), t) {
			return nil, fmt.Errorf("--only: %q is none of %s", name, offeredNames())
		}
		named[t] = true
	}
	return slices.DeleteFunc(offered(), func(t workspace.DatabaseType) bool { return !named[t] }), nil
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
	children, err := d.startServers(ctx)
	defer func() { err = errors.Join(err, d.stopServers(children)) }()
	if err != nil {
		return unlessStopped(ctx, err)
	}
	s, err := d.openSockets(base, children)
	if err != nil {
		return err
	}
	for _, child := range children {
		c.Servers = append(c.Servers, child.config)
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
func (d *development) openSockets(base int, children []child) (sockets, error) {
	want := defaultPorts()
	if base > 0 {
		want = portsFrom(base)
	} else if _, err := readJSON(d.path("ports.json"), &want); err != nil {
		return sockets{}, err
	}
	var on []workspace.DatabaseType
	for _, child := range children {
		on = append(on, child.of)
	}
	s, err := openLocalSockets(want, on, base == 0, func(format string, args ...any) {
		fmt.Fprintf(d.stdout, format+"\n", args...)
	})
	if err != nil {
		return s, err
	}
	got := want
	got.Admin = port(s.admin)
	for t, listeners := range s.clients {
		*got.of(t) = port(listeners)
	}
	if err := writeJSON(d.path("ports.json"), got); err != nil {
		s.close()
		return s, err
	}
	return s, nil
}

// unlessStopped is err, or nothing where we were told to stop while we started.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
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
