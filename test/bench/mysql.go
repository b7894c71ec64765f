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
	comparison := table{"haproxy"}
	comparison.head(fmt.Sprintf("%-17s %7s", "queries", "threads"))
	for _, load := range mysqlLoads {
		for _, threads := range []int{1, 16, 64} {
			m, err := inTurns(servers.servers, o.rounds, targets, func(t mysqlTarget) (measure, error) { return t.run(rows, threads, o.seconds, load) })
			if err != nil {
				return err
			}
			comparison.line(fmt.Sprintf("%-17s %7d", load, threads), m)
		}
	}
	m, err := inTurns(servers.servers, o.rounds, targets, func(t mysqlTarget) (measure, error) { return t.connects(o.seconds) })
	if err != nil {
		return err
	}
	comparison.connects(m)
	return mysqlAllocations(o, targets[len(targets)-1], servers, rows)
}

func (t mysqlTarget) sysbench(rows, threads int, args ...string) *exec.Cmd {
	cmd := exec.Command("sysbench", append([]string{"--db-driver=mysql", "--mysql-ssl=on", "--mysql-host=127.0.0.1",
		"--mysql-port=" + strconv.Itoa(t.port), "--mysql-user=" + t.user, "--mysql-password=" + t.password, "--mysql-db=" + t.database,
		"--tables=1", "--table-size=" + strconv.Itoa(rows), "--threads=" + strconv.Itoa(threads)}, args...)...)
	cmd.Dir = t.folder
	return cmd
}

// run runs one of sysbench's scripts against t; the measure's tps are queries.
func (t mysqlTarget) run(rows, threads, seconds int, load string, options ...string) (measure, error) {
	options = append(options, "--time="+strconv.Itoa(seconds), "--histogram=on", load, "run")
	out, err := t.sysbench(rows, threads, options...).CombinedOutput()
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
	queriesLine   = regexp.MustCompile(`(?m)^\s+queries:\s+(\d+)\s+\(([0-9.]+) per sec\.\)`)
	histogramLine = regexp.MustCompile(`(?m)^\s+([0-9.]+) \|\**\s+(\d+)$`)
)

// parseSysbench reads the rate of queries, and the latencies of events from the
// histogram.
func parseSysbench(text string) (m measure, err error) {
	rate := queriesLine.FindStringSubmatch(text)
	if rate == nil {
		return m, errors.New("no rate of queries")
	}
	if m.done, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return m, err
	}
	if m.tps, err = strconv.ParseFloat(rate[2], 64); err != nil {
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
	return measure{tps: float64(done) / time.Since(began).Seconds(), done: float64(done)}, nil
}

func selectOnce(connector driver.Connector) error {
	db := sql.OpenDB(connector)
	defer db.Close()
	var one int
	return db.QueryRowContext(context.Background(), "SELECT 1").Scan(&one)
}

// mysqlAllocations prints the proxy's heap allocations a query.
func mysqlAllocations(o options, proxy mysqlTarget, s *mysqlServers, rows int) error {
	const threads = 16
	seconds := max(o.seconds, 5)
	for _, load := range mysqlLoads {
		for _, mode := range []struct{ protocol, option string }{{"text", "disable"}, {"prepared", "auto"}} {
			each, err := s.allocations(time.Duration(seconds)*time.Second, func() (measure, error) {
				return proxy.run(rows, threads, seconds, load, "--db-ps-mode="+mode.option)
			})
			if err != nil {
				return err
			}
			fmt.Printf("allocations: %.4f a query, %s, %s, %d threads\n", each, strings.TrimPrefix(load, "oltp_"), mode.protocol, threads)
		}
	}
	return nil
}
