package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	defaultUser    = "default"
	connectTimeout = 10 * time.Second
	// answerTimeout is for one answer to the administrator; contexts cut it
	// shorter.
	answerTimeout = 30 * time.Second
	adminPool     = 8
)

// options are those of a connection as the administrator, in database 0. Nothing
// is ever sent twice, and nothing is sent that we did not ask for.
func (c Config) options() *goredis.Options {
	return &goredis.Options{
		Network:               c.Address.Network,
		Addr:                  c.Address.Addr,
		TLSConfig:             c.Address.TLS,
		Username:              c.User,
		Password:              c.Password,
		Protocol:              2,
		MaxRetries:            -1,
		DialTimeout:           connectTimeout,
		DialerRetries:         1,
		ReadTimeout:           answerTimeout,
		WriteTimeout:          answerTimeout,
		ContextTimeoutEnabled: true,
		PoolSize:              adminPool,
		DisableIdentity:       true,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	}
}

// within is the administrator in the workspace's database. The caller closes it.
func (e *Engine) within(t workspace.Target) (*goredis.Client, error) {
	n, err := number(t.Database)
	if err != nil {
		return nil, err
	}
	o := e.config.options()
	o.DB, o.PoolSize = n, 1
	return goredis.NewClient(o), nil
}

// number is a workspace's logical database; 0 is nobody's.
func number(database string) (int, error) {
	n, err := strconv.Atoi(database)
	if err != nil || n < 1 || strconv.Itoa(n) != database {
		return 0, fmt.Errorf("%.40q is no logical database of a workspace", database)
	}
	return n, nil
}

// failed says what was being done when err came. A server that can't be used at
// all is Unavailable; addresses and users are told to the log alone.
func (e *Engine) failed(doing string, err error) error {
	if reply, ok := errors.AsType[goredis.Error](err); ok && !unusable(reply) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return workspace.Errorf(workspace.Unavailable, "redis server %s can't be reached", e.config.Name).Because(fmt.Errorf("%s: %w", doing, err))
}

// unusable says whether the server refuses whatever we ask: it is loading its
// data, is busy with a script or does not take our login.
func unusable(reply goredis.Error) bool {
	switch prefix(reply.Error()) {
	case "LOADING", "BUSY", "MASTERDOWN", "NOAUTH", "WRONGPASS":
		return true
	}
	return false
}

// prefix is the code that an error reply begins with ("WRONGTYPE").
func prefix(text string) string {
	code, _, _ := strings.Cut(text, " ")
	return code
}
