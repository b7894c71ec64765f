package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlTarget is one way to the measured MySQL server.
type mysqlTarget struct {
	name                     string
	port                     int
	user, password, database string
	folder                   string // where sysbench finds its certificates
}

// mysqlLoads are those of sysbench's scripts that are measured.
var mysqlLoads = []string{"oltp_point_select", "oltp_read_only"}

func runMySQL(o options, dir, program string) (err error) {
	servers, err := startMySQLServers(dir, program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.stop()) }()
	targets, err := servers.targets()
	if err != nil {
		return err
	}
	rows := o.scale * 10_000
	if out, err := targets[0].sysbench(rows, 1, "oltp_read_only", "prepare").CombinedOutput(); err != nil {
		return fmt.Errorf("sysbench prepare: %w\n%s", err, out)
	}
	fmt.Printf("\nsysbench, %d rows, %d s a run, median of %d rounds; TLS to every target, by HAProxy passed through\n\n", rows, o.seconds, o.rounds)
	if err := mysqlThroughput(o, targets, rows); err != nil {
		return err
	}
	if err := mysqlConnectRate(o, targets); err != nil {
		return err
	}
	return mysqlAllocations(o, targets, servers, rows)
}

// mysqlThroughput prints one line for each script and number of threads. The
// targets take turns within a round.
func mysqlThroughput(o options, targets []mysqlTarget, rows int) error {
	fmt.Printf("%-17s %7s | %9s %9s %9s | %8s %10s | %s\n", "queries", "threads",
		"direct/s", "haproxy/s", "ours/s", "/direct", "/haproxy", "p99/p50 direct, haproxy, ours")
	for _, load := range mysqlLoads {
		for _, threads := range []int{1, 16, 64} {
			m, err := mysqlInTurns(o, targets, func(t mysqlTarget) (measure, error) {
				return t.run(rows, threads, o.seconds, load)
			})
			if err != nil {
				return err
			}
			direct, haproxy, ours := m[0], m[1], m[2]
			fmt.Printf("%-17s %7d | %9.0f %9.0f %9.0f | %8.2f %10.2f | %14.2f %8.2f %5.2f\n",
				load, threads, direct.tps, haproxy.tps, ours.tps, ours.tps/direct.tps, ours.tps/haproxy.tps,
				direct.p99/direct.p50, haproxy.p99/haproxy.p50, ours.p99/ours.p50)
		}
	}
	return nil
}

// mysqlInTurns measures every target in each round and gives their medians.
func mysqlInTurns(o options, targets []mysqlTarget, one func(mysqlTarget) (measure, error)) ([]measure, error) {
	rounds := make([][]measure, len(targets))
	for range o.rounds {
		for i, t := range targets {
			m, err := one(t)
			if err != nil {
				return nil, err
			}
			rounds[i] = append(rounds[i], m)
		}
	}
	medians := make([]measure, len(targets))
	for i := range rounds {
		medians[i] = median(rounds[i])
	}
	return medians, nil
}

func (t mysqlTarget) sysbench(rows, threads int, args ...string) *exec.Cmd {
	cmd := exec.Command("sysbench", append([]string{"--db-driver=mysql", "--mysql-ssl=on", "--mysql-host=127.0.0.1",
		"--mysql-port=" + strconv.Itoa(t.port), "--mysql-user=" + t.user, "--mysql-password=" + t.password, "--mysql-db=" + t.database,
		"--tables=1", "--table-size=" + strconv.Itoa(rows), "--threads=" + strconv.Itoa(threads)}, args...)...)
	cmd.Dir = t.folder
	return cmd
}

// run runs one of sysbench's scripts against t; the measure's tps are queries.
func (t mysqlTarget) run(rows, threads, seconds int, load string) (measure, error) {
	out, err := t.sysbench(rows, threads, "--time="+strconv.Itoa(seconds), "--histogram=on", load, "run").CombinedOutput()
	if err != nil {
		return measure{}, fmt.Errorf("sysbench against %s: %w\n%s", t.name, err, out)
	}
	m, err := parseSysbench(string(out))
	if err != nil {
		return measure{}, fmt.Errorf("sysbench against %s: %w\n%s", t.name, err, out)
	}
	return m, nil
}

var (
	queriesLine   = regexp.MustCompile(`(?m)^\s+queries:\s+\d+\s+\(([0-9.]+) per sec\.\)`)
	histogramLine = regexp.MustCompile(`(?m)^\s+([0-9.]+) \|\**\s+(\d+)$`)
)

// parseSysbench reads the rate of queries, and the latencies of events from the
// histogram.
func parseSysbench(text string) (m measure, err error) {
	rate := queriesLine.FindStringSubmatch(text)
	if rate == nil {
		return m, errors.New("no rate of queries")
	}
	if m.tps, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return m, err
	}
	var latencies []float64
	var counts []int
	total := 0
	for _, line := range histogramLine.FindAllStringSubmatch(text, -1) {
		latency, err := strconv.ParseFloat(line[1], 64)
		if err != nil {
			return m, err
		}
		count, err := strconv.Atoi(line[2])
		if err != nil {
			return m, err
		}
		latencies, counts, total = append(latencies, latency), append(counts, count), total+count
	}
	if total == 0 {
		return m, errors.New("no latencies")
	}
	at := func(share float64) float64 {
		left := share * float64(total)
		return latencies[slices.IndexFunc(counts, func(n int) bool { left -= float64(n); return left <= 0 })]
	}
	m.p50, m.p99 = at(0.50), at(0.99)
	return m, nil
}

// mysqlConnectRate prints how many connections, each with one select, a second.
func mysqlConnectRate(o options, targets []mysqlTarget) error {
	m, err := mysqlInTurns(o, targets, func(t mysqlTarget) (measure, error) { return t.connects(o.seconds) })
	if err != nil {
		return err
	}
	direct, haproxy, ours := m[0], m[1], m[2]
	fmt.Printf("\nconnect each time (%d clients): direct %.0f/s, haproxy %.0f/s, ours %.0f/s: %.2f x direct, %.2f x haproxy\n",
		connectClients, direct.tps, haproxy.tps, ours.tps, ours.tps/direct.tps, ours.tps/haproxy.tps)
	return nil
}

// connects counts how often connectClients connect, select and leave.
func (t mysqlTarget) connects(seconds int) (measure, error) {
	connector, err := mysql.NewConnector(t.config())
	if err != nil {
		return measure{}, err
	}
	var (
		clients sync.WaitGroup
		mu      sync.Mutex
		done    int
		failed  error
	)
	began := time.Now()
	end := began.Add(time.Duration(seconds) * time.Second)
	for range connectClients {
		clients.Go(func() {
			n := 0
			var err error
			for err == nil && time.Now().Before(end) {
				if err = selectOnce(connector); err == nil {
					n++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			done, failed = done+n, errors.Join(failed, err)
		})
	}
	clients.Wait()
	if failed != nil {
		return measure{}, fmt.Errorf("connect to %s: %w", t.name, failed)
	}
	return measure{tps: float64(done) / time.Since(began).Seconds()}, nil
}

func selectOnce(connector driver.Connector) error {
	db := sql.OpenDB(connector)
	defer db.Close()
	var one int
	return db.QueryRowContext(context.Background(), "SELECT 1").Scan(&one)
}

// mysqlAllocations prints the proxy's heap allocations a query, counted while
// all clients are connected, less what the counting itself allocates.
func mysqlAllocations(o options, targets []mysqlTarget, s *mysqlServers, rows int) error {
	const threads = 16
	t := targets[len(targets)-1]
	for _, load := range mysqlLoads {
		for _, mode := range []string{"disable", "auto"} {
			perQuery, err := t.allocations(max(o.seconds, 5), threads, rows, load, mode, s)
			if err != nil {
				return err
			}
			protocol := map[string]string{"disable": "text", "auto": "prepared"}[mode]
			fmt.Printf("allocations: %.4f a query, %s, %s, %d threads\n", perQuery, strings.TrimPrefix(load, "oltp_"), protocol, threads)
		}
	}
	return nil
}

func (t mysqlTarget) allocations(seconds, threads, rows int, load, mode string, s *mysqlServers) (float64, error) {
	type result struct {
		m   measure
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := t.sysbench(rows, threads, "--time="+strconv.Itoa(seconds), "--histogram=on", "--db-ps-mode="+mode, load, "run").CombinedOutput()
		if err != nil {
			done <- result{err: fmt.Errorf("sysbench: %w\n%s", err, out)}
			return
		}
		m, err := parseSysbench(string(out))
		done <- result{m, err}
	}()
	window := time.Duration(seconds) * time.Second / 2
	time.Sleep(window / 2)
	var counts [3]float64
	var err error
	for i, pause := range []time.Duration{0, window, 0} {
		time.Sleep(pause)
		if counts[i], err = s.mallocs(); err != nil {
			return 0, err
		}
	}
	r := <-done
	if r.err != nil {
		return 0, r.err
	}
	counting := counts[2] - counts[1]
	return max(0, counts[1]-counts[0]-counting) / (r.m.tps * window.Seconds()), nil
}
