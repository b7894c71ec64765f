package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// throughput prints one line for each mode and number of clients. The targets
// take turns within a round, so that a slow moment of the machine hits all.
func throughput(o options, targets []target) error {
	fmt.Printf("%-9s %7s | %9s %9s %9s | %8s %12s | %s\n", "mode", "clients",
		"direct/s", "pgbncr/s", "ours/s", "/direct", "/pgbouncer", "p99/p50 direct, pgbncr, ours")
	for _, mode := range modes {
		for _, clients := range []int{1, 16, 64} {
			m, err := inTurns(o, targets, clients, "-M", mode)
			if err != nil {
				return err
			}
			direct, pgbouncer, ours := m[0], m[1], m[2]
			fmt.Printf("%-9s %7d | %9.0f %9.0f %9.0f | %8.2f %12.2f | %14.2f %7.2f %5.2f\n", mode, clients,
				direct.tps, pgbouncer.tps, ours.tps, ours.tps/direct.tps, ours.tps/pgbouncer.tps,
				direct.p99/direct.p50, pgbouncer.p99/pgbouncer.p50, ours.p99/ours.p50)
		}
	}
	return nil
}

var modes = []string{"simple", "extended", "prepared"}

// inTurns measures every target in each round and gives their medians.
func inTurns(o options, targets []target, clients int, args ...string) ([]measure, error) {
	rounds := make([][]measure, len(targets))
	for range o.rounds {
		for i, t := range targets {
			m, err := t.selects(o.seconds, clients, args...)
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

// allocations prints the proxy's heap allocations a transaction, counted while
// all clients are connected, less what the counting itself allocates. One a
// transaction is crypto/tls's own, for each record that it reads.
func allocations(o options, targets []target, s *servers) error {
	const clients = 16
	t := targets[len(targets)-1]
	for _, mode := range modes {
		type result struct {
			m   measure
			err error
		}
		done := make(chan result, 1)
		seconds := max(o.seconds, 5)
		go func() {
			m, err := t.selects(seconds, clients, "-M", mode)
			done <- result{m, err}
		}()
		window := time.Duration(seconds) * time.Second / 2
		time.Sleep(window / 2)
		var counts [3]float64
		var err error
		for i, pause := range []time.Duration{0, window, 0} {
			time.Sleep(pause)
			if counts[i], err = s.mallocs(); err != nil {
				return err
			}
		}
		r := <-done
		if r.err != nil {
			return r.err
		}
		counting := counts[2] - counts[1]
		fmt.Printf("allocations: %.4f a transaction, %s, %d clients\n",
			max(0, counts[1]-counts[0]-counting)/(r.m.tps*window.Seconds()), mode, clients)
	}
	return nil
}

// connectClients is how many clients connect anew for each transaction.
const connectClients = 8

// connectRate prints how many connections, each with one select, a second.
func connectRate(o options, targets []target) error {
	m, err := inTurns(o, targets, connectClients, "-C")
	if err != nil {
		return err
	}
	direct, pgbouncer, ours := m[0], m[1], m[2]
	fmt.Printf("\nconnect each time (pgbench -C, %d clients): direct %.0f/s, pgbouncer %.0f/s, ours %.0f/s: %.2f x direct, %.2f x pgbouncer\n",
		connectClients, direct.tps, pgbouncer.tps, ours.tps, ours.tps/direct.tps, ours.tps/pgbouncer.tps)
	return nil
}

// idleMemory prints what an idle session costs the proxy's resident memory.
func idleMemory(o options, targets []target, s *servers) error {
	t := targets[len(targets)-1]
	before, err := s.residentKB()
	if err != nil {
		return err
	}
	url := fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=require", t.user, t.password, t.port, t.database)
	ctx := context.Background()
	conns := make([]*pgx.Conn, 0, o.idle)
	defer func() {
		for _, conn := range conns {
			conn.Close(ctx)
		}
	}()
	for range o.idle {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		conns = append(conns, conn)
		if _, err := conn.Exec(ctx, "select 1"); err != nil {
			return err
		}
	}
	time.Sleep(o.settle)
	after, err := s.residentKB()
	if err != nil {
		return err
	}
	fmt.Printf("memory: %d idle sessions take %.1f kB of resident memory each\n", o.idle, float64(after-before)/float64(o.idle))
	return nil
}

// mallocs is the proxy's count of heap allocations so far.
func (s *servers) mallocs() (float64, error) {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.ports.admin))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	value, err := find(response.Body, "go_memstats_mallocs_total ")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(value, 64)
}

// residentKB is the proxy's resident memory.
func (s *servers) residentKB() (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.tenantsdb.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	value, err := find(f, "VmRSS:")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSuffix(value, " kB"))
}

// find gives the rest of the line that begins with prefix.
func find(r io.Reader, prefix string) (string, error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("no line begins with %q", prefix)
}
