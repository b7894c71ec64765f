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
	comparison := table{"haproxy"}
	comparison.head(fmt.Sprintf("%-7s %4s %7s", "command", "-P", "clients"))
	for _, command := range []string{"get", "set"} {
		for _, pipeline := range []int{1, 16} {
			for _, clients := range []int{1, 50} {
				load := redisLoad{command, pipeline, clients}
				m, err := inTurns(servers.servers, o.rounds, targets, func(t redisTarget) (measure, error) { return t.run(o.redis, load) })
				if err != nil {
					return err
				}
				comparison.line(fmt.Sprintf("%-7s %4d %7d", strings.ToUpper(command), pipeline, clients), m)
			}
		}
	}
	return redisAllocations(o, targets[len(targets)-1], servers)
}

// run measures t for about as long as said.
func (t redisTarget) run(long time.Duration, load redisLoad) (measure, error) {
	requests, probed, err := t.requestsFor(long, load)
	if err != nil {
		return measure{}, err
	}
	m, err := t.benchmark(requests, load)
	m.done = float64(probed + requests)
	return m, err
}

// probeRequests are enough to see how fast a target is, for each command that
// a client has under way.
const probeRequests = 200

// requestsFor is how many requests take t about as long as said, since
// redis-benchmark counts requests and not time; probed is how many it took to
// know that.
func (t redisTarget) requestsFor(long time.Duration, load redisLoad) (requests, probed int, err error) {
	probed = probeRequests * load.clients * load.pipeline
	m, err := t.benchmark(probed, load)
	if err != nil {
		return 0, 0, err
	}
	return max(probed, int(m.tps*long.Seconds())), probed, nil
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

// redisAllocations prints the proxy's heap allocations a command.
func redisAllocations(o options, proxy redisTarget, s *redisServers) error {
	for _, command := range []string{"get", "set"} {
		load := redisLoad{command, 16, 50}
		long := max(o.redis, time.Second)
		requests, _, err := proxy.requestsFor(long, load)
		if err != nil {
			return err
		}
		each, err := s.allocations(long, func() (measure, error) { return proxy.benchmark(requests, load) })
		if err != nil {
			return err
		}
		fmt.Printf("allocations: %.4f a command, %s, -P %d, %d clients\n", each, strings.ToUpper(command), load.pipeline, load.clients)
	}
	return nil
}
