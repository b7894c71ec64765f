package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

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
		if listeners := s.clients[t]; len(listeners) > 0 {
			r.Listeners[string(t)] = hostPort{"localhost", port(listeners)}
		}
	}
	return r
}

// print shows commands that work as they stand.
func (r readiness) print(to io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\nTenantsDB is ready.\n\n  Admin API    %s\n  API key      %s\n", r.AdminURL, r.APIKey)
	for _, t := range offered() {
		if at, on := r.Listeners[string(t)]; on {
			fmt.Fprintf(&text, "  %-12s %s:%d\n", t.DisplayName(), at.Host, at.Port)
		}
	}
	fmt.Fprintf(&text, "  User         %s\n  Password     %s\n  Trust        %s\n\nMake a workspace and connect to it:\n",
		r.ProjectID, r.ProxyPassword, r.CAFile)
	tracked := ""
	for _, t := range offered() {
		at, on := r.Listeners[string(t)]
		if !on {
			continue
		}
		name, mode := r.printExample(&text, t, at)
		if mode == workspace.Tenant {
			tracked = cmp.Or(tracked, name)
		}
	}
	if tracked != "" {
		fmt.Fprintf(&text, "\nSee its schema changes queue up:\n  curl -s %s/workspaces/%s/diff -H 'Authorization: Bearer %s'\n", r.AdminURL, tracked, r.APIKey)
	}
	text.WriteString("\n")
	_, err := io.WriteString(to, text.String())
	return err
}

// printExample makes a workspace of the type and connects to it with the
// database's own client.
func (r readiness) printExample(to io.Writer, t workspace.DatabaseType, at hostPort) (name string, mode workspace.Mode) {
	mode = workspace.Tenant
	var client string
	switch t {
	case workspace.PostgreSQL:
		name = "demo"
		client = fmt.Sprintf("psql 'postgresql://%s:%s@%s:%d/demo_workspace?sslmode=require'", r.ProjectID, r.ProxyPassword, at.Host, at.Port)
	case workspace.MySQL:
		name = "shop"
		// By its name the client would take the socket of another server.
		client = fmt.Sprintf("mysql --host=127.0.0.1 --port=%d --user=%s --password=%s --ssl-ca=%s shop_workspace", at.Port, r.ProjectID, r.ProxyPassword, shellQuote(r.CAFile))
	case workspace.MongoDB:
		name = "docs"
		client = fmt.Sprintf("mongosh 'mongodb://%s:%s@%s:%d/docs_workspace?authMechanism=PLAIN&directConnection=true&tls=true' --tlsCAFile %s", r.ProjectID, r.ProxyPassword, at.Host, at.Port, shellQuote(r.CAFile))
	case workspace.Redis:
		name, mode = "cache", workspace.Control
		client = fmt.Sprintf("redis-cli -u 'rediss://cache:%s@%s:%d/0' --cacert %s", r.ProxyPassword, at.Host, at.Port, shellQuote(r.CAFile))
	}
	fmt.Fprintf(to, "  curl -s %s/workspaces -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{\"name\": \"%s\", \"database\": \"%s\", \"mode\": \"%s\"}'\n  %s\n",
		r.AdminURL, r.APIKey, name, t.DisplayName(), mode, client)
	return name, mode
}

// shellQuote is text as one word of a POSIX shell.
func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
