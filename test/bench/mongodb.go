package main

import (
	"errors"
	"fmt"
	"time"
)

func runMongoDB(o options, dir, program string) (err error) {
	servers, err := startMongoDBServers(dir, program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.stop()) }()
	targets, database, err := servers.targets()
	if err != nil {
		return err
	}
	if err := fillMongoDB(targets[len(targets)-1], database); err != nil {
		return err
	}
	loads := []mongodbLoad{mongodbFind(database), mongodbInsert(database)}
	fmt.Printf("\nMongoDB commands to FerretDB on SQLite, %d documents, %d s a run, median of %d rounds; TLS to HAProxy and to us,\n"+
		"direct is without it, over the unix socket by which both proxies reach the server too: it has no TLS here\n\n", mongodbDocuments, o.seconds, o.rounds)
	if err := mongodbThroughput(o, targets, loads); err != nil {
		return err
	}
	return mongodbAllocations(o, targets, servers, loads)
}

// mongodbThroughput prints one line for each command and number of workers. The
// targets take turns within a round.
func mongodbThroughput(o options, targets []mongodbTarget, loads []mongodbLoad) error {
	fmt.Printf("%-7s %7s | %9s %9s %9s | %8s %10s | %s\n", "command", "workers",
		"direct/s", "haproxy/s", "ours/s", "/direct", "/haproxy", "p99/p50 direct, haproxy, ours")
	for _, load := range loads {
		for _, workers := range []int{1, 16, 64} {
			m, err := mongodbInTurns(o, targets, load, workers)
			if err != nil {
				return err
			}
			direct, haproxy, ours := m[0], m[1], m[2]
			fmt.Printf("%-7s %7d | %9.0f %9.0f %9.0f | %8.2f %10.2f | %14.2f %8.2f %5.2f\n",
				load.name, workers, direct.tps, haproxy.tps, ours.tps, ours.tps/direct.tps, ours.tps/haproxy.tps,
				direct.p99/direct.p50, haproxy.p99/haproxy.p50, ours.p99/ours.p50)
		}
	}
	return nil
}

// mongodbInTurns measures every target in each round and gives their medians.
func mongodbInTurns(o options, targets []mongodbTarget, load mongodbLoad, workers int) ([]measure, error) {
	rounds := make([][]measure, len(targets))
	for range o.rounds {
		for i, t := range targets {
			m, err := t.run(load, workers, time.Duration(o.seconds)*time.Second)
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

// mongodbAllocations prints the proxy's heap allocations a command, counted
// while all workers are connected, less those that it makes in the same time
// with nothing to do: FerretDB is slow enough for these to show.
func mongodbAllocations(o options, targets []mongodbTarget, s *mongodbServers, loads []mongodbLoad) error {
	const workers = 16
	t := targets[len(targets)-1]
	long := time.Duration(max(o.seconds, 5)) * time.Second
	window := long / 2
	time.Sleep(o.settle)
	idle, err := s.mallocsIn(window)
	if err != nil {
		return err
	}
	for _, load := range loads {
		type result struct {
			m   measure
			err error
		}
		done := make(chan result, 1)
		go func() {
			m, err := t.run(load, workers, long)
			done <- result{m, err}
		}()
		time.Sleep(window / 2)
		busy, err := s.mallocsIn(window)
		if err != nil {
			return err
		}
		r := <-done
		if r.err != nil {
			return r.err
		}
		fmt.Printf("allocations: %.4f a command, %s, %d workers\n", max(0, busy-idle)/(r.m.tps*window.Seconds()), load.name, workers)
	}
	return nil
}

// mallocsIn counts the proxy's heap allocations in a time, that of one counting
// among them.
func (m *mongodbServers) mallocsIn(window time.Duration) (float64, error) {
	before, err := m.mallocs()
	if err != nil {
		return 0, err
	}
	time.Sleep(window)
	after, err := m.mallocs()
	return after - before, err
}
