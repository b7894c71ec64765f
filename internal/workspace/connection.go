package workspace

import (
	"net"
	"strconv"
)

// hidden stands for a password that is not to be shown.
const hidden = "••••••••"

// connection is how clients reach w, logging in as user. host and port are the
// listener's, as the operator made them public.
func connection(w Workspace, user string, at Public, password string) Connection {
	c := Connection{
		Host:     at.Host,
		Port:     at.Port,
		Database: w.Database,
		User:     user,
		Password: password,
	}
	if w.Type == Redis {
		c.User = w.Name // Redis has no database in its login, so the user is the route
		c.Database = "0"
	}
	login := c.User + ":" + password + "@" + net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) + "/" + c.Database
	switch w.Type {
	case PostgreSQL:
		c.String = "postgresql://" + login + "?sslmode=require"
	case MySQL:
		c.String = "mysql://" + login
	case MongoDB:
		c.String = "mongodb://" + login + "?authMechanism=PLAIN&directConnection=true&tls=true"
	case Redis:
		c.String = "rediss://" + login
	}
	return c
}
