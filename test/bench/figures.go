package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// measure is what one run of a load gave.
type measure struct {
	tps      float64 // transactions, queries or commands a second
	p50, p99 float64 // milliseconds
	done     float64 // transactions, queries or commands in all
	cpu      float64 // microseconds of processor time that what stands between took for each
}

// median orders the rounds by throughput and gives the middle one.
func median(rounds []measure) measure {
	slices.SortFunc(rounds, func(a, b measure) int {
		switch {
		case a.tps < b.tps:
			return -1
		case a.tps > b.tps:
			return 1
		}
		return 0
	})
	return rounds[len(rounds)/2]
}

// inTurns measures every target in each round and gives their medians. The
// targets take turns, so that a slow moment of the machine hits all; they are
// the server itself, the peer and us.
func inTurns[T any](s *servers, rounds int, targets []T, one func(T) (measure, error)) ([]measure, error) {
	between := []*exec.Cmd{nil, s.peer, s.tenantsdb}
	of := make([][]measure, len(targets))
	for range rounds {
		for i, t := range targets {
			before, err := processorTime(between[i])
			if err != nil {
				return nil, err
			}
			m, err := one(t)
			if err != nil {
				return nil, err
			}
			after, err := processorTime(between[i])
			if err != nil {
				return nil, err
			}
			m.cpu = float64((after - before).Microseconds()) / m.done
			of[i] = append(of[i], m)
		}
	}
	medians := make([]measure, len(targets))
	for i := range of {
		medians[i] = median(of[i])
	}
	return medians, nil
}

// table compares three ways to one server: direct, through a peer, through us.
type table struct{ peer string }

// head prints what stands above the lines; what names their first columns.
func (t table) head(what string) {
	fmt.Printf("%s | %9s %9s %9s | %8s %10s | %-26s | %-16s | %s\n", what, "direct/s", t.peer+"/s", "ours/s", "/direct", "/"+t.peer,
		"p99/p50 direct, peer, ours", "p99 in ms", "us of CPU for each, peer and ours")
}

// line prints one comparison.
func (t table) line(what string, m []measure) {
	direct, peer, ours := m[0], m[1], m[2]
	fmt.Printf("%s | %9.0f %9.0f %9.0f | %8.2f %10.2f | %14.2f %5.2f %5.2f | %5.2f %5.2f %5.2f | %.2f %.2f\n", what,
		direct.tps, peer.tps, ours.tps, ours.tps/direct.tps, ours.tps/peer.tps,
		direct.p99/direct.p50, peer.p99/peer.p50, ours.p99/ours.p50, direct.p99, peer.p99, ours.p99, peer.cpu, ours.cpu)
}

// connects prints how many connections, each with one select, a second.
func (t table) connects(m []measure) {
	direct, peer, ours := m[0], m[1], m[2]
	fmt.Printf("\nconnect each time (%d clients): direct %.0f/s, %s %.0f/s, ours %.0f/s: %.2f x direct, %.2f x %s; us of CPU for each: %s %.0f, ours %.0f\n",
		connectClients, direct.tps, t.peer, peer.tps, ours.tps, ours.tps/direct.tps, ours.tps/peer.tps, t.peer, t.peer, peer.cpu, ours.cpu)
}

// connectClients is how many clients connect anew for each transaction.
const connectClients = 8

// allocations is the proxy's heap allocations for each operation of a load that
// takes long, counted while all clients are connected, less those that it makes
// in the same time with nothing to do.
func (s *servers) allocations(long time.Duration, load func() (measure, error)) (float64, error) {
	window := long / 2
	idle, err := s.mallocsIn(window)
	if err != nil {
		return 0, err
	}
	type result struct {
		m   measure
		err error
	}
	done := make(chan result, 1)
	go func() {
		m, err := load()
		done <- result{m, err}
	}()
	time.Sleep(window / 2)
	busy, err := s.mallocsIn(window)
	if err != nil {
		return 0, err
	}
	r := <-done
	return max(0, busy-idle) / (r.m.tps * window.Seconds()), r.err
}

// mallocsIn counts the proxy's heap allocations in a time, that of one counting
// among them.
func (s *servers) mallocsIn(window time.Duration) (float64, error) {
	before, err := s.mallocs()
	if err != nil {
		return 0, err
	}
	time.Sleep(window)
	after, err := s.mallocs()
	return after - before, err
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

// clockTick is the unit of processor times in /proc, the same on all of Linux's
// platforms (proc(5), sysconf(_SC_CLK_TCK)).
const clockTick = 10 * time.Millisecond

// processorTime is what all threads of a process have had so far; 0 where there
// is none. It tells the price of a proxy also where the machine is too noisy, or
// its clients and server too busy, for the throughput to tell it.
func processorTime(cmd *exec.Cmd) (time.Duration, error) {
	if cmd == nil {
		return 0, nil
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, which may hold anything, is in parentheses.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields behind the name", cmd.Process.Pid, len(fields))
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick, err
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
