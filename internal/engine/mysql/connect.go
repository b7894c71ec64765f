package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	connectTimeout = 10 * time.Second
	maxIdle        = 4

	// lockWait bounds how long the administrator waits for objects that a
	// session of a workspace uses.
	lockWait = 20 // seconds

	accessDenied         = 1045
	accessDeniedNoSecret = 1698
)

// trustedSettings make what the administrator's statements mean independent of
// the server's defaults.
var trustedSettings = fmt.Sprintf("SET NAMES utf8mb4, SESSION sql_mode = '', SESSION time_zone = '+00:00', "+
	"SESSION lock_wait_timeout = %d, SESSION innodb_lock_wait_timeout = %d, SESSION autocommit = 1, SESSION group_concat_max_len = 1048576", lockWait, lockWait)

// admin is an administrator's connection, an idle one where there is one. It is
// the caller's until release. Session settings and the open transaction must be
// left as they were found, or the connection closed.
func (e *Engine) admin(ctx context.Context) (c *conn, release func(), err error) {
	c = e.takeIdle()
	if c != nil && c.exec(ctx, "DO 0") != nil {
		c.close()
		c = nil
	}
	if c == nil {
		if c, err = e.connectAdmin(ctx); err != nil {
			return nil, nil, err
		}
	}
	return c, func() { e.putIdle(c) }, nil
}

func (e *Engine) takeIdle() *conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.idle) == 0 {
		return nil
	}
	c := e.idle[len(e.idle)-1]
	e.idle = e.idle[:len(e.idle)-1]
	return c
}

// putIdle keeps c where it can be used again and there is room for it.
func (e *Engine) putIdle(c *conn) {
	e.mu.Lock()
	keep := !e.closed && !c.broken && !c.inTransaction() && len(e.idle) < maxIdle
	if keep {
		e.idle = append(e.idle, c)
	}
	e.mu.Unlock()
	if !keep {
		c.close()
	}
}

func (e *Engine) connectAdmin(ctx context.Context) (*conn, error) {
	c, err := e.connect(ctx, e.config.User, e.config.Password, "")
	if err != nil {
		return nil, e.unreachable(err)
	}
	if err := c.exec(ctx, trustedSettings); err != nil {
		c.close()
		return nil, fmt.Errorf("mysql %s: prepare connection: %w", e.config.Name, err)
	}
	if err := e.learn(ctx, c); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// connectAs is a connection as the target's role in its database, with the
// settings that a client of the proxy would have, but that every statement counts
// where the server's default is otherwise. The caller closes it.
func (e *Engine) connectAs(ctx context.Context, t workspace.Target) (*conn, error) {
	return e.connectRole(ctx, t, t.Role, t.Password)
}

// connectRole is connectAs for either role. A role may change its own password;
// then the one that the catalog knows is put back, since otherwise the workspace
// would have locked out its owner for good.
func (e *Engine) connectRole(ctx context.Context, t workspace.Target, name, password string) (*conn, error) {
	c, err := e.connect(ctx, name, password, t.Database)
	if number := errno(err); number == accessDenied || number == accessDeniedNoSecret {
		e.config.Log.WarnContext(ctx, "role's password was changed on the server; putting it back", "server", e.config.Name, "role", name)
		if err := e.setRoles(ctx, t, rolesOf(t)); err != nil {
			return nil, err
		}
		c, err = e.connect(ctx, name, password, t.Database)
	}
	if err != nil {
		return nil, e.unreachable(err)
	}
	if err := c.exec(ctx, "SET NAMES utf8mb4, SESSION autocommit = 1"); err != nil {
		c.close()
		return nil, fmt.Errorf("mysql %s: prepare connection: %w", e.config.Name, err)
	}
	return c, nil
}

// unreachable keeps the cause, which names addresses and users of the server,
// for the log alone.
func (e *Engine) unreachable(cause error) error {
	return workspace.Errorf(workspace.Unavailable, "mysql server %s can't be reached", e.config.Name).Because(cause)
}

// connect makes one connection. Only its arguments and the Config decide where
// it leads.
func (e *Engine) connect(ctx context.Context, user, password, database string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	address := e.config.Address
	var dialled net.Conn
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var err error
		dialled, err = e.dial(ctx)
		if err == nil {
			// The login knows no context.
			deadline, _ := ctx.Deadline()
			err = dialled.SetDeadline(deadline)
		}
		return dialled, err
	}
	var c *client.Conn
	err := wellFormed(func() (err error) {
		c, err = client.ConnectWithDialer(ctx, address.Network, address.Addr, user, password, database, dial, func(c *client.Conn) error {
			c.SetTLSConfig(address.TLS)
			c.UnsetCapability(gomysql.CLIENT_DEPRECATE_EOF | gomysql.CLIENT_QUERY_ATTRIBUTES)
			return errors.Join(c.SetCapability(gomysql.CLIENT_MULTI_STATEMENTS), c.SetCapability(gomysql.CLIENT_MULTI_RESULTS))
		})
		return err
	})
	if err != nil {
		if dialled != nil {
			// The library leaves it open in some cases; a second close is harmless.
			_ = dialled.Close()
		}
		return nil, fmt.Errorf("log in: %w", err)
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("log in: %w", err)
	}
	return &conn{wire: c.Conn, id: c.GetConnectionID(), version: c.GetServerVersion()}, nil
}

// errno is the server's number of the error in err's chain, 0 where there is
// none.
func errno(err error) uint16 {
	if refusal, ok := errors.AsType[*gomysql.MyError](err); ok {
		return refusal.Code
	}
	return 0
}
