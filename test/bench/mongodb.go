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
	comparison := table{"haproxy"}
	comparison.head(fmt.Sprintf("%-7s %7s", "command", "workers"))
	for _, load := range loads {
		for _, workers := range []int{1, 16, 64} {
			m, err := inTurns(servers.servers, o.rounds, targets, func(t mongodbTarget) (measure, error) {
				return t.run(load, workers, time.Duration(o.seconds)*time.Second)
			})
			if err != nil {
				return err
			}
			comparison.line(fmt.Sprintf("%-7s %7d", load.name, workers), m)
		}
	}
	time.Sleep(o.settle)
	return mongodbAllocations(o, targets[len(targets)-1], servers, loads)
}

// mongodbAllocations prints the proxy's heap allocations a command.
func mongodbAllocations(o options, proxy mongodbTarget, s *mongodbServers, loads []mongodbLoad) error {
	const workers = 16
	long := time.Duration(max(o.seconds, 5)) * time.Second
	for _, load := range loads {
		each, err := s.allocations(long, func() (measure, error) { return proxy.run(load, workers, long) })
		if err != nil {
			return err
		}
		fmt.Printf("allocations: %.4f a command, %s, %d workers\n", each, load.name, workers)
	}
	return nil
}
