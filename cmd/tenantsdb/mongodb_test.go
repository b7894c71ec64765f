package main

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestAMongoDBServerIsNamedAsItsDriversTakeIt(t *testing.T) {
	for name, test := range map[string]struct {
		config         PhysicalConfig
		hosts          string
		user, password string
		tls            bool
		replicaSet     string
	}{
		"socket":      {config: PhysicalConfig{Socket: "/run/a b/mongodb.sock"}, hosts: "/run/a b/mongodb.sock"},
		"host":        {config: PhysicalConfig{Host: "db", User: "admin", Password: "p:/?#@ %"}, hosts: "db:27017", user: "admin", password: "p:/?#@ %", tls: true},
		"without TLS": {config: PhysicalConfig{Host: "::1", Port: 28017, TLS: "off"}, hosts: "[::1]:28017"},
		"unverified":  {config: PhysicalConfig{Host: "db", TLS: "unverified"}, hosts: "db:27017", tls: true},
		"set":         {config: PhysicalConfig{URI: "mongodb://a:27017,b:27018/?replicaSet=rs0&tls=true", User: "u", Password: "@"}, hosts: "a:27017,b:27018", user: "u", password: "@", tls: true, replicaSet: "rs0"},
		"own login":   {config: PhysicalConfig{URI: "mongodb://u:p@a/"}, hosts: "a", user: "u", password: "p"},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Type = "mongodb"
			o := options.Client().ApplyURI(test.config.mongoURI())
			if err := o.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(o.Hosts, ","); got != test.hosts {
				t.Errorf("got hosts %s, want %s", got, test.hosts)
			}
			user, password := "", ""
			if o.Auth != nil {
				user, password = o.Auth.Username, o.Auth.Password
			}
			if user != test.user || password != test.password {
				t.Errorf("got login %s %s, want %s %s", user, password, test.user, test.password)
			}
			if (o.TLSConfig != nil) != test.tls {
				t.Errorf("got TLS %t, want %t", o.TLSConfig != nil, test.tls)
			}
			set := ""
			if o.ReplicaSet != nil {
				set = *o.ReplicaSet
			}
			if set != test.replicaSet {
				t.Errorf("got replica set %q, want %q", set, test.replicaSet)
			}
			if wantDirect := test.config.URI == ""; (o.Direct != nil && *o.Direct) != wantDirect {
				t.Errorf("direct is %v, want %t", o.Direct, wantDirect)
			}
		})
	}
}
