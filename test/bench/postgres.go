package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

func runPostgres(o options, dir, program string) error {
	servers, err := startPostgresServers(dir, program)
	if err != nil {
		return err
	}
	defer servers.stop()
	targets, err := servers.targets()
	if err != nil {
		return err
	}
	if err := initialise(targets, o.scale); err != nil {
		return err
	}
	fmt.Printf("pgbench -S, scale %d, %d s a run, median of %d rounds; TLS to every target\n\n", o.scale, o.seconds, o.rounds)
	comparison := table{"pgbouncer"}
	comparison.head(fmt.Sprintf("%-9s %7s", "mode", "clients"))
	for _, mode := range modes {
		for _, clients := range []int{1, 16, 64} {
			m, err := inTurns(servers.servers, o.rounds, targets, func(t target) (measure, error) {
				return t.selects(o.seconds, clients, "-M", mode)
			})
			if err != nil {
				return err
			}
			comparison.line(fmt.Sprintf("%-9s %7d", mode, clients), m)
		}
	}
	m, err := inTurns(servers.servers, o.rounds, targets, func(t target) (measure, error) { return t.selects(o.seconds, connectClients, "-C") })
	if err != nil {
		return err
	}
	comparison.connects(m)
	proxy := targets[len(targets)-1]
	if err := postgresAllocations(o, proxy, servers); err != nil {
		return err
	}
	return idleMemory(o, proxy, servers)
}

var modes = []string{"simple", "extended", "prepared"}

// postgresAllocations prints the proxy's heap allocations a transaction. One is
// crypto/tls's own, for each record that it reads.
func postgresAllocations(o options, proxy target, s *postgresServers) error {
	const clients = 16
	seconds := max(o.seconds, 5)
	for _, mode := range modes {
		each, err := s.allocations(time.Duration(seconds)*time.Second, func() (measure, error) {
			return proxy.selects(seconds, clients, "-M", mode)
		})
		if err != nil {
			return err
		}
		fmt.Printf("allocations: %.4f a transaction, %s, %d clients\n", each, mode, clients)
	}
	return nil
}

// idleMemory prints what an idle session costs the proxy's resident memory.
func idleMemory(o options, t target, s *postgresServers) error {
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
