package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// maxReplyBytes bounds what the replies to one query hold in memory.
	maxReplyBytes = 64 << 20
	// maxCommands bounds the lines of one query.
	maxCommands = 10_000
)

var (
	errTimeout  = errors.New("query time limit reached")
	errTooLarge = errors.New("replies are larger than what a query may hold")
)

// Query runs text, one command a line as redis-cli takes it, on one connection
// of its own, and gives the last reply: an array as one row for each element,
// anything else as one row, in a column "result". It stops at the first error.
//
// The commands are those of the workspace's own clients: they run through
// Config.Front as such, or else as the workspace's user on the server.
func (e *Engine) Query(ctx context.Context, t workspace.Target, text string, limits workspace.Limits) (workspace.Result, error) {
	commands, err := parse(text)
	if err != nil {
		return workspace.Result{}, err
	}
	if limits.TimeoutMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(limits.TimeoutMS)*time.Millisecond, errTimeout)
		defer cancel()
	}
	client, wire, err := e.session(ctx, t)
	if err != nil {
		return workspace.Result{}, err
	}
	defer client.Close()
	conn := client.Conn()
	defer conn.Close()
	if err := conn.Ping(ctx).Err(); err != nil {
		return workspace.Result{}, e.noSession(err)
	}
	start := time.Now()
	var reply any
	for _, c := range commands {
		reply, err = conn.Do(ctx, c.args...).Result()
		if err != nil && !errors.Is(err, goredis.Nil) {
			return workspace.Result{}, e.verdict(ctx, c, wire, limits, err)
		}
	}
	result := resultOf(reply)
	result.Bytes, result.Elapsed = wire.bytes.Load(), time.Since(start)
	return result, nil
}

// noSession says why a query has no connection: what the front told is for the
// client.
func (e *Engine) noSession(err error) error {
	if e.config.Front != nil && goredis.IsMaxClientsError(err) {
		return fmt.Errorf("connect for a query: %w", workspace.ErrFull)
	}
	if reply, ok := errors.AsType[goredis.Error](err); ok && e.config.Front != nil {
		return workspace.Errorf(workspace.Unavailable, "connect for a query: %s", reply.Error())
	}
	return e.failed("connect for a query", err)
}

// typed is one command of a query.
type typed struct {
	line int // from 1
	args []any
}

func parse(text string) ([]typed, error) {
	var commands []typed
	for i, line := range strings.Split(text, "\n") {
		words, err := splitLine(line)
		if err != nil {
			return nil, inLine(workspace.Errorf(workspace.BadRequest, "line %d: %w", i+1, err), i+1)
		}
		if len(words) == 0 {
			continue
		}
		if why := unfit(words); why != "" {
			return nil, inLine(workspace.Errorf(workspace.BadRequest, "line %d: %s", i+1, why), i+1)
		}
		args := make([]any, len(words))
		for n, word := range words {
			args[n] = word
		}
		commands = append(commands, typed{line: i + 1, args: args})
	}
	switch {
	case len(commands) == 0:
		return nil, workspace.Errorf(workspace.BadRequest, "the query holds no command")
	case len(commands) > maxCommands:
		return nil, workspace.Errorf(workspace.BadRequest, "a query can't have more than %d commands", maxCommands)
	}
	return commands, nil
}

func inLine(e *workspace.Error, line int) *workspace.Error {
	e.Details = map[string]any{"line": line}
	return e
}

// unfit says why a command makes no sense in a query: it is about the
// connection, which is ours, or leaves it without one reply a command.
func unfit(words []string) string {
	name := strings.ToUpper(words[0])
	switch name {
	case "AUTH", "HELLO", "RESET", "QUIT":
		return name + " is about a connection, which a query does not have of its own"
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR", "SYNC", "PSYNC":
		return name + " needs a connection that stays: use a Redis client"
	case "CLIENT":
		if len(words) > 1 && slices.Contains([]string{"REPLY", "TRACKING"}, strings.ToUpper(words[1])) {
			return name + " " + strings.ToUpper(words[1]) + " is about a connection, which a query does not have of its own"
		}
	}
	return ""
}

// session is a client of one connection, which ends with ctx.
func (e *Engine) session(ctx context.Context, t workspace.Target) (*goredis.Client, *wire, error) {
	o := e.config.options()
	o.PoolSize = 1
	o.ReadTimeout, o.WriteTimeout = -1, -1 // ctx alone bounds a command: it may be a blocking one
	dial := goredis.NewDialer(o)
	login := func(ctx context.Context, conn *goredis.Conn) error {
		return conn.AuthACL(ctx, t.Role, t.Password).Err()
	}
	if e.config.Front != nil {
		// A login of the client's own would try again after a refusal, on a
		// connection that the front has ended, and lose what it said.
		o.Username, o.Password = "", ""
		o.TLSConfig = nil
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return e.config.Front(ctx) }
		login = func(ctx context.Context, conn *goredis.Conn) error {
			return conn.AuthACL(ctx, t.Client.User, t.Client.Password).Err()
		}
	} else {
		n, err := number(t.Database)
		if err != nil {
			return nil, nil, err
		}
		o.DB = n
	}
	o.OnConnect = login
	w := &wire{}
	o.Dialer = func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(dialing, network, address)
		if err != nil {
			return nil, err
		}
		// A client that has gone away must not leave its command waiting.
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		return &boundedConn{Conn: conn, wire: w, stop: stop}, nil
	}
	return goredis.NewClient(o), w, nil
}

// wire is what the replies of one query have brought so far.
type wire struct{ bytes atomic.Int64 }

// boundedConn ends when it has brought maxReplyBytes.
type boundedConn struct {
	net.Conn
	wire *wire
	stop func() bool
}

func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.wire.bytes.Add(int64(n)) > maxReplyBytes {
		return 0, errTooLarge
	}
	return n, err
}

func (c *boundedConn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// verdict is the error of a command, as the client is told.
func (e *Engine) verdict(ctx context.Context, c typed, w *wire, limits workspace.Limits, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		<-ctx.Done() // the connection's deadline is ctx's, and may come a moment earlier
	}
	reply, replied := errors.AsType[goredis.Error](err)
	switch {
	case replied:
		said := inLine(workspace.Errorf(workspace.BadRequest, "%s", reply.Error()), c.line)
		said.Details["codeName"] = prefix(reply.Error())
		return said
	case w.bytes.Load() > maxReplyBytes:
		return inLine(workspace.Errorf(workspace.BadRequest, "the replies are larger than %d MB: use a Redis client", maxReplyBytes>>20), c.line)
	case errors.Is(context.Cause(ctx), errTimeout):
		return inLine(workspace.Errorf(workspace.BadRequest, "query took longer than %d ms and was given up: use a Redis client for what waits longer", limits.TimeoutMS), c.line)
	case ctx.Err() != nil:
		return fmt.Errorf("run command: %w", context.Cause(ctx))
	}
	return workspace.Errorf(workspace.Unavailable, "connection to the database was lost").Because(err)
}
