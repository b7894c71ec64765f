package main

import (
	"fmt"
	"io"

	"github.com/tenantsdb/tenantsdb/certs"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// readiness is ready.json: how to reach a development installation.
type readiness struct {
	AdminURL      string              `json:"admin_url"`
	APIKey        string              `json:"api_key"`
	ProjectID     string              `json:"project_id"`
	ProxyPassword string              `json:"proxy_password"`
	CAFile        string              `json:"ca_file"`
	Listeners     map[string]hostPort `json:"listeners"`
}

type hostPort struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

func newReadiness(b workspace.Bootstrap, s sockets, certsDir string) readiness {
	r := readiness{
		AdminURL:      fmt.Sprintf("http://localhost:%d", port(s.admin)),
		APIKey:        b.APIKey,
		ProjectID:     b.ProjectID,
		ProxyPassword: b.ProxyPassword,
		CAFile:        certs.CAFile(certsDir),
		Listeners:     map[string]hostPort{},
	}
	for _, t := range offered() {
		if listeners := s.of(t); len(listeners) > 0 {
			r.Listeners[string(t)] = hostPort{"localhost", port(listeners)}
		}
	}
	return r
}

// print shows commands that work as they stand.
func (r readiness) print(to io.Writer) error {
	postgres := r.Listeners[string(workspace.PostgreSQL)]
	_, err := fmt.Fprintf(to, `
TenantsDB is ready.

  Admin API    %[1]s
  API key      %[2]s
  PostgreSQL   %[3]s:%[4]d  user %[5]s  password %[6]s
  Trust        %[7]s

Make a workspace:
  curl -s %[1]s/workspaces -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -d '{"name": "demo", "database": "PostgreSQL", "mode": "tenant"}'

Connect to it:
  psql 'postgresql://%[5]s:%[6]s@%[3]s:%[4]d/demo_workspace?sslmode=require'

See its schema changes queue up:
  curl -s %[1]s/workspaces/demo/diff -H 'Authorization: Bearer %[2]s'

`, r.AdminURL, r.APIKey, postgres.Host, postgres.Port, r.ProjectID, r.ProxyPassword, r.CAFile)
	if err != nil {
		return err
	}
	return r.printRedis(to)
}

// printRedis shows what is different for Redis, where it is on.
func (r readiness) printRedis(to io.Writer) error {
	redis, on := r.Listeners[string(workspace.Redis)]
	if !on {
		return nil
	}
	_, err := fmt.Fprintf(to, `Redis is on %[3]s:%[4]d; the user is the workspace:
  curl -s %[1]s/workspaces -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -d '{"name": "cache", "database": "Redis", "mode": "control"}'
  redis-cli -u 'rediss://cache:%[5]s@%[3]s:%[4]d/0' --cacert '%[6]s'

`, r.AdminURL, r.APIKey, redis.Host, redis.Port, r.ProxyPassword, r.CAFile)
	return err
}
