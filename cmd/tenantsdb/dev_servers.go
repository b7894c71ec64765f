package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// startPatience is how long a server may take to start: a first start
	// makes its files, one after a crash recovers.
	startPatience = 2 * time.Minute
	// stopPatience is how long it may take for a clean stop.
	stopPatience = 30 * time.Second
)

// child is a server of the installation's own.
type child struct {
	of     workspace.DatabaseType
	server interface{ Stop(context.Context) error }
	config PhysicalConfig
}

// startServers starts one server of each type to run, all at once. A type whose program
// is missing is left out, and it is said what to install. What has been started
// is returned with an error too.
func (d *development) startServers(ctx context.Context) ([]child, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	children, errs := make([]child, len(d.types)), make([]error, len(d.types))
	var starting sync.WaitGroup
	for i, t := range d.types {
		starting.Go(func() { children[i], errs[i] = d.startServer(ctx, t) })
	}
	starting.Wait()

	var started []child
	var failed error
	for i, t := range d.types {
		missing, is := errors.AsType[*devstack.MissingError](errs[i])
		switch {
		case is:
			fmt.Fprintf(d.stdout, "%s is off: %v\n", t.DisplayName(), missing)
		case errs[i] != nil:
			failed = errors.Join(failed, errs[i])
		default:
			started = append(started, children[i])
		}
	}
	if failed == nil && len(started) == 0 {
		failed = errors.New("there is no database server on this machine")
	}
	return started, failed
}

// startServer starts the server of one type in a folder of that name.
func (d *development) startServer(ctx context.Context, t workspace.DatabaseType) (child, error) {
	c := PhysicalConfig{Name: string(t), Type: string(t)}
	dir := d.path(string(t))
	switch t {
	case workspace.PostgreSQL:
		server, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: dir, Log: d.log})
		if err != nil {
			return child{}, err
		}
		c.Name = "main"
		c.Socket, c.Port, c.User, c.Password = server.SocketDir(), server.Port(), server.User(), server.Password()
		return child{t, server, c}, nil
	case workspace.MySQL:
		server, err := devstack.StartMySQL(ctx, devstack.MySQLConfig{Dir: dir, Log: d.log})
		if err != nil {
			return child{}, err
		}
		c.Socket, c.User, c.Password = server.Socket(), server.User(), server.Password()
		return child{t, server, c}, nil
	case workspace.MongoDB:
		server, err := devstack.StartFerretDB(ctx, devstack.FerretDBConfig{Dir: dir, Log: d.log})
		if err != nil {
			return child{}, err
		}
		c.Socket = server.Socket()
		return child{t, server, c}, nil
	case workspace.Redis:
		server, err := devstack.StartRedis(ctx, devstack.RedisConfig{Dir: dir, Log: d.log})
		if err != nil {
			return child{}, err
		}
		c.Socket, c.User, c.Password = server.Socket(), server.User(), server.Password()
		return child{t, server, c}, nil
	}
	return child{}, fmt.Errorf("there is no server for %s", t)
}

// stopServers stops them all at once.
func (d *development) stopServers(children []child) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	errs := make([]error, len(children))
	var stopping sync.WaitGroup
	for i, child := range children {
		stopping.Go(func() { errs[i] = child.server.Stop(ctx) })
	}
	stopping.Wait()
	return errors.Join(errs...)
}
