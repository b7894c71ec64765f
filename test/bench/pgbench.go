package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// target is one way to the measured database.
type target struct {
	name     string
	port     int
	user     string
	password string
	database string
}

// initialise fills the database and lets the superuser's targets read it.
func initialise(targets []target, scale int) error {
	proxy := targets[len(targets)-1]
	cmd := proxy.pgbench("-i", "-q", "-s", strconv.Itoa(scale))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgbench -i: %w\n%s", err, out)
	}
	return nil
}

func (t target) pgbench(args ...string) *exec.Cmd {
	program, err := postgresProgram("pgbench")
	if err != nil {
		program = "pgbench"
	}
	cmd := exec.Command(program, append(args, "-h", "127.0.0.1", "-p", strconv.Itoa(t.port), "-U", t.user, t.database)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+t.password, "PGSSLMODE=require")
	return cmd
}

var (
	tpsLine  = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)
	doneLine = regexp.MustCompile(`(?m)^number of transactions actually processed: ([0-9]+)`)
)

// selects runs pgbench -S against t.
func (t target) selects(seconds, clients int, args ...string) (measure, error) {
	logs, err := os.MkdirTemp("", "tenantsdb-bench-log-")
	if err != nil {
		return measure{}, err
	}
	defer os.RemoveAll(logs)
	args = append([]string{"-S", "-n", "-T", strconv.Itoa(seconds), "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(clients, 2)),
		"--log", "--log-prefix", filepath.Join(logs, "log")}, args...)
	out, err := t.pgbench(args...).CombinedOutput()
	if err != nil {
		return measure{}, fmt.Errorf("pgbench against %s: %w\n%s", t.name, err, out)
	}
	var m measure
	for line, into := range map[*regexp.Regexp]*float64{tpsLine: &m.tps, doneLine: &m.done} {
		found := line.FindSubmatch(out)
		if found == nil {
			return m, fmt.Errorf("pgbench against %s: no line matches %s\n%s", t.name, line, out)
		}
		if *into, err = strconv.ParseFloat(string(found[1]), 64); err != nil {
			return m, err
		}
	}
	m.p50, m.p99, err = percentiles(logs)
	return m, err
}

// percentiles reads the latencies of pgbench's per-transaction logs, whose
// third column is in microseconds.
func percentiles(dir string) (p50, p99 float64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return 0, 0, err
	}
	var latencies []float64
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return 0, 0, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 3 {
				continue
			}
			us, err := strconv.ParseFloat(fields[2], 64)
			if err != nil {
				f.Close()
				return 0, 0, fmt.Errorf("pgbench log: %w", err)
			}
			latencies = append(latencies, us/1000)
		}
		f.Close()
		if err := lines.Err(); err != nil {
			return 0, 0, err
		}
	}
	if len(latencies) == 0 {
		return 0, 0, fmt.Errorf("pgbench logged no transaction")
	}
	slices.Sort(latencies)
	return latencies[len(latencies)/2], latencies[len(latencies)*99/100], nil
}
