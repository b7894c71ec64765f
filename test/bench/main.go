// Command bench measures the proxy against a direct connection and against
// PgBouncer, all over TLS to one PostgreSQL server, then against a direct
// connection and HAProxy to one Redis, one MySQL and one MongoDB server, in one
// run, and prints the ratios as tables. It needs the Debian packages postgresql,
// pgbouncer, redis-server, redis-tools, mariadb-server, sysbench and haproxy,
// and a tenantsdb binary with tenantsdb-ferretdb beside it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// options are the measure of a run.
type options struct {
	program string        // the tenantsdb binary
	seconds int           // of one pgbench, sysbench or MongoDB run
	rounds  int           // of each figure; the median counts
	scale   int           // pgbench's; sysbench has 10,000 rows for each
	idle    int           // sessions of the memory measurement
	settle  time.Duration // between opening the idle sessions and measuring
	redis   time.Duration // of one redis-benchmark run, about
	only    string        // the one database to measure; empty: all
}

func main() {
	var o options
	flag.StringVar(&o.program, "program", "bin/tenantsdb", "tenantsdb binary")
	flag.IntVar(&o.seconds, "seconds", 5, "seconds of one pgbench, sysbench or MongoDB run")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each figure, of which the median counts")
	flag.IntVar(&o.scale, "scale", 10, "pgbench scale factor; sysbench has 10,000 rows for each")
	flag.IntVar(&o.idle, "idle", 1000, "idle sessions of the memory measurement")
	flag.DurationVar(&o.settle, "settle", 3*time.Second, "pause before memory is measured")
	flag.DurationVar(&o.redis, "redis-time", 3*time.Second, "time of one redis-benchmark run, about")
	flag.StringVar(&o.only, "only", "", "measure postgresql, redis, mysql or mongodb only")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "tenantsdb-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	program, err := filepath.Abs(o.program)
	if err != nil {
		return err
	}
	switch o.only {
	case "":
		return errors.Join(runPostgres(o, dir, program), runRedis(o, dir, program), runMySQL(o, dir, program), runMongoDB(o, dir, program))
	case "postgresql":
		return runPostgres(o, dir, program)
	case "redis":
		return runRedis(o, dir, program)
	case "mysql":
		return runMySQL(o, dir, program)
	case "mongodb":
		return runMongoDB(o, dir, program)
	}
	return fmt.Errorf("-only %s: it is postgresql, redis, mysql or mongodb", o.only)
}
