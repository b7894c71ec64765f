package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// redisTarget is one way to the measured Redis server.
type redisTarget struct {
	name           string
	port           int
	user, password string
}

// redisLoad is what redis-benchmark does.
type redisLoad struct {
	command  string
	pipeline int
	clients  int
}

func runRedis(o options, dir, program string) error {
	servers, err := startRedisServers(dir, program)
	if err != nil {
		return err
	}
	defer servers.stop()
	targets, err := servers.targets()
	if err != nil {
		return err
	}
	fmt.Printf("\nredis-benchmark, about %v a run, median of %d rounds; TLS to every target\n\n", o.redis, o.rounds)
	if err := redisThroughput(o, targets); err != nil {
		return err
	}
	return redisAllocations(o, targets, servers)
}

// redisThroughput prints one line for each command, depth of pipeline and
// number of clients. The targets take turns within a round.
func redisThroughput(o options, targets []redisTarget) error {
	fmt.Printf("%-7s %4s %7s | %9s %9s %9s | %8s %10s | %s\n", "command", "-P", "clients",
		"direct/s", "haproxy/s", "ours/s", "/direct", "/haproxy", "p99/p50 direct, haproxy, ours")
	for _, command := range []string{"get", "set"} {
		for _, pipeline := range []int{1, 16} {
			for _, clients := range []int{1, 50} {
				load := redisLoad{command, pipeline, clients}
				m, err := redisInTurns(o, targets, load)
				if err != nil {
					return err
				}
				direct, haproxy, ours := m[0], m[1], m[2]
				fmt.Printf("%-7s %4d %7d | %9.0f %9.0f %9.0f | %8.2f %10.2f | %14.2f %8.2f %5.2f\n",
					strings.ToUpper(command), pipeline, clients, direct.tps, haproxy.tps, ours.tps,
					ours.tps/direct.tps, ours.tps/haproxy.tps,
					direct.p99/direct.p50, haproxy.p99/haproxy.p50, ours.p99/ours.p50)
			}
		}
	}
	return nil
}

// redisInTurns measures every target in each round and gives their medians.
func redisInTurns(o options, targets []redisTarget, load redisLoad) ([]measure, error) {
	rounds := make([][]measure, len(targets))
	for range o.rounds {
		for i, t := range targets {
			requests, err := t.requestsFor(o.redis, load)
			if err != nil {
				return nil, err
			}
			m, err := t.benchmark(requests, load)
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

// probeRequests are enough to see how fast a target is, for each command that
// a client has under way.
const probeRequests = 200

// requestsFor is how many requests take t about as long as said, since
// redis-benchmark counts requests and not time.
func (t redisTarget) requestsFor(long time.Duration, load redisLoad) (int, error) {
	probe := probeRequests * load.clients * load.pipeline
	m, err := t.benchmark(probe, load)
	if err != nil {
		return 0, err
	}
	return max(probe, int(m.tps*long.Seconds())), nil
}

// benchmark runs redis-benchmark against t.
func (t redisTarget) benchmark(requests int, load redisLoad) (measure, error) {
	cmd := exec.Command("redis-benchmark", "--tls", "--insecure", "-h", "127.0.0.1", "-p", strconv.Itoa(t.port),
		"--user", t.user, "-a", t.password, "-t", load.command, "-n", strconv.Itoa(requests),
		"-P", strconv.Itoa(load.pipeline), "-c", strconv.Itoa(load.clients), "--csv")
	out, err := cmd.Output()
	if err != nil {
		text := ""
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			text = string(exit.Stderr)
		}
		return measure{}, fmt.Errorf("redis-benchmark against %s: %w\n%s%s", t.name, err, out, text)
	}
	m, err := parseRedisBenchmark(string(out))
	if err != nil {
		return measure{}, fmt.Errorf("redis-benchmark against %s: %w\n%s", t.name, err, out)
	}
	return m, nil
}

// parseRedisBenchmark reads the last line of the table, by its head.
func parseRedisBenchmark(text string) (m measure, err error) {
	at := strings.Index(text, `"test","rps"`)
	if at < 0 {
		return m, errors.New("no table")
	}
	rows, err := csv.NewReader(strings.NewReader(text[at:])).ReadAll()
	if err != nil {
		return m, err
	}
	if len(rows) < 2 {
		return m, errors.New("no figures")
	}
	for i, name := range rows[0] {
		into := map[string]*float64{"rps": &m.tps, "p50_latency_ms": &m.p50, "p99_latency_ms": &m.p99}[name]
		if into == nil {
			continue
		}
		if *into, err = strconv.ParseFloat(rows[len(rows)-1][i], 64); err != nil {
			return m, err
		}
	}
	if m.tps == 0 || m.p50 == 0 {
		return m, errors.New("figures are missing")
	}
	return m, nil
}

// redisAllocations prints the proxy's heap allocations a command, counted while
// all clients are connected, less what the counting itself allocates.
func redisAllocations(o options, targets []redisTarget, r *redisServers) error {
	t := targets[len(targets)-1]
	for _, command := range []string{"get", "set"} {
		load := redisLoad{command, 16, 50}
		long := max(o.redis, time.Second)
		requests, err := t.requestsFor(long, load)
		if err != nil {
			return err
		}
		type result struct {
			m   measure
			err error
		}
		done := make(chan result, 1)
		go func() {
			m, err := t.benchmark(requests, load)
			done <- result{m, err}
		}()
		window := long / 2
		time.Sleep(window / 2)
		var counts [3]float64
		for i, pause := range []time.Duration{0, window, 0} {
			time.Sleep(pause)
			if counts[i], err = r.mallocs(); err != nil {
				return err
			}
		}
		got := <-done
		if got.err != nil {
			return got.err
		}
		counting := counts[2] - counts[1]
		fmt.Printf("allocations: %.4f a command, %s, -P %d, %d clients\n",
			max(0, counts[1]-counts[0]-counting)/(got.m.tps*window.Seconds()), strings.ToUpper(command), load.pipeline, load.clients)
	}
	return nil
}
