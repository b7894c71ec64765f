package mysql

import (
	"testing"

	driver "github.com/go-sql-driver/mysql"
)

func TestADriverLogsIn(t *testing.T) {
	for _, version := range []string{"", "8.4.3", "5.5.5-10.11.6-MariaDB"} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, withVersion(version))
			c := w.open(t)
			if got := one(t, c, "select database()"); got != w.route.Database {
				t.Errorf("database: got %q, want %q", got, w.route.Database)
			}
			if got := one(t, c, "select ? + 1", 41); got != "42" {
				t.Errorf("prepared: got %q, want 42", got)
			}
		})
	}
}

func TestAWrongLoginIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*driver.Config){
		"password":    func(c *driver.Config) { c.Passwd = "wrong" },
		"no password": func(c *driver.Config) { c.Passwd = "" },
		"user":        func(c *driver.Config) { c.User = "tdb_nobody" },
		"database":    func(c *driver.Config) { c.DBName = "mysql" },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryConfig(t, w.config(), change)
			if number(err) != 1045 {
				t.Errorf("got %v, want 1045", err)
			}
		})
	}
}
