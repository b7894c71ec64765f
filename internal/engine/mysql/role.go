package mysql

import (
	"context"
	"crypto/sha1" //nolint:gosec // the server's mysql_native_password is made of it
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// What roles may do in their database. A tenant's clients use what is there: its
// rows, sequences and programs, and temporary tables. A reader may call no
// programs, which may write with their definers' rights.
const (
	ownerRights  = "ALL PRIVILEGES"
	readerRights = "SELECT, SHOW VIEW"
	usersRights  = "SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, SHOW VIEW"
)

// role is one user of a database, which has an account at each host.
type role struct{ name, password, rights string }

// rolesOf are those of a workspace's or a tenant's database.
func rolesOf(t workspace.Target) []role {
	roles := []role{{t.Role, t.Password, ownerRights}}
	if t.Owner != "" {
		roles = []role{{t.Owner, t.OwnerPassword, ownerRights}, {t.Role, t.Password, usersRights}}
	}
	if t.Reader != "" {
		roles = append(roles, readerOf(t))
	}
	return roles
}

func readerOf(t workspace.Target) role { return role{t.Reader, t.ReaderPassword, readerRights} }

// SetReader makes the accounts of the role that may only read.
func (e *Engine) SetReader(ctx context.Context, t workspace.Target) error {
	return e.setRoles(ctx, t, []role{readerOf(t)})
}

// DropReader removes the role that may only read, and ends its sessions.
func (e *Engine) DropReader(ctx context.Context, t workspace.Target) error {
	if t.Reader == e.config.User {
		return fmt.Errorf("drop role %s: it is the administrator's", t.Reader)
	}
	c, release, err := e.admin(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := dropRole(ctx, c, t.Reader); err != nil {
		return err
	}
	return endSessions(ctx, c, t.Reader, "USER = "+literal(t.Reader))
}

// setRoles makes the accounts of those roles of the database, or puts back their
// passwords and grants.
func (e *Engine) setRoles(ctx context.Context, t workspace.Target, roles []role) error {
	c, release, err := e.admin(ctx)
	if err != nil {
		return err
	}
	defer release()
	hosts, err := e.hosts(ctx, c)
	if err != nil {
		return fmt.Errorf("make roles of %s: %w", t.Database, err)
	}
	for _, r := range roles {
		if r.name == e.config.User || r.name == "" {
			return fmt.Errorf("make role %q: it is the administrator's", r.name)
		}
		for _, host := range hosts {
			if err := e.setAccount(ctx, c, t.Database, r, host); err != nil {
				return fmt.Errorf("make role %s: %w", r.name, err)
			}
		}
	}
	return nil
}

// setAccount is setRoles for one role at one host.
func (e *Engine) setAccount(ctx context.Context, c *conn, database string, r role, host string) error {
	f := e.known()
	account := literal(r.name) + "@" + literal(host)
	for _, sql := range []string{
		"CREATE USER IF NOT EXISTS " + account + " " + f.identified(r.password),
		"ALTER USER " + account + " " + f.identified(r.password) + " ACCOUNT UNLOCK",
		"REVOKE ALL PRIVILEGES, GRANT OPTION FROM " + account,
		"GRANT " + r.rights + " ON " + pattern(database, f.literally) + ".* TO " + account,
	} {
		if err := c.exec(ctx, sql); err != nil {
			return err // without the statement, which holds the password
		}
	}
	return nil
}

// hosts are those that each role has accounts at. The server takes the account
// with the most exact host, whatever its name, and an address is more exact to
// MySQL than the name that it stands for: so the role is at every host that an
// account without a name is at, and at the one that we appear as.
func (e *Engine) hosts(ctx context.Context, c *conn) ([]string, error) {
	row, err := c.row(ctx, "SELECT USER()")
	if err != nil {
		return nil, fmt.Errorf("find own host: %w", err)
	}
	user := string(row[0])
	hosts := []string{"%", "localhost", user[strings.LastIndexByte(user, '@')+1:]}
	anonymous, err := c.rows(ctx, "SELECT Host FROM mysql.user WHERE User = ''")
	if err != nil {
		return nil, fmt.Errorf("find accounts without a name: %w", err)
	}
	for _, row := range anonymous {
		hosts = append(hosts, string(row[0]))
	}
	slices.Sort(hosts)
	return slices.DeleteFunc(slices.Compact(hosts), func(host string) bool { return host == "" }), nil
}

// identified is how the server knows the password: by a plugin that works on a
// unix socket without TLS. MariaDB is told a hash, since it would keep the
// statement as it is in its logs; MySQL keeps a hash by itself.
func (f *facts) identified(password string) string {
	if !f.mariaDB {
		return "IDENTIFIED WITH caching_sha2_password BY " + literal(password)
	}
	return "IDENTIFIED VIA mysql_native_password USING " + literal(nativeHash(password))
}

// nativeHash is what mysql_native_password stores.
func nativeHash(password string) string {
	first := sha1.Sum([]byte(password)) //nolint:gosec // see above
	second := sha1.Sum(first[:])        //nolint:gosec // see above
	return "*" + strings.ToUpper(hex.EncodeToString(second[:]))
}

// dropRole removes the role's accounts at all hosts.
func dropRole(ctx context.Context, c *conn, role string) error {
	rows, err := c.rows(ctx, "SELECT Host FROM mysql.user WHERE User = "+literal(role))
	if err != nil {
		return fmt.Errorf("find role %s: %w", role, err)
	}
	for _, row := range rows {
		if err := c.exec(ctx, "DROP USER IF EXISTS "+literal(role)+"@"+literal(string(row[0]))); err != nil {
			return fmt.Errorf("drop role %s: %w", role, err)
		}
	}
	return nil
}
