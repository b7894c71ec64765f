package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
)

const (
	// defaultHandshakeTimeout is what a Server without one of its own gives.
	defaultHandshakeTimeout = 10 * time.Second
	// maxHandshakes bounds the connections that are not authenticated, all
	// together and from one address, and with them the memory that strangers
	// can hold.
	maxHandshakes        = 1024
	maxHandshakesPerHost = 256
)

// Server is the proxy's sockets and sessions.
type Server struct {
	// HandshakeTimeout is the one deadline over startup, TLS, authentication
	// and the connection to the backend; set before Serve. 0 means ten seconds.
	HandshakeTimeout time.Duration

	log      *slog.Logger
	metrics  *Metrics
	sessions registry
	pending  gate // connections under the startup's deadline
	staying  gate // those that last without a session

	ctx       context.Context
	cancel    context.CancelFunc
	undrained context.Context // ends when Shutdown begins
	drain     context.CancelFunc

	nextID   atomic.Uint64
	mu       sync.Mutex
	open     []listener
	serving  sync.WaitGroup // sessions and connections before one
	draining atomic.Bool
}

// listener is one socket of one protocol.
type listener struct {
	socket   net.Listener
	protocol protocols.Protocol
}

// New makes a server without listeners.
func New(log *slog.Logger, metrics *Metrics) *Server {
	s := &Server{
		log:     log,
		metrics: metrics,
		pending: gate{most: maxHandshakes, mostPerHost: maxHandshakesPerHost},
		staying: gate{most: maxStaying, mostPerHost: maxStayingPerHost},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.undrained, s.drain = context.WithCancel(s.ctx)
	return s
}

// Serve accepts protocol's connections on l until the server shuts down; name
// is the protocol's in logs and metrics. It returns nil after a shutdown.
func (s *Server) Serve(l net.Listener, name string, protocol protocols.Protocol) error {
	if !s.listen(l, protocol) {
		return l.Close()
	}
	failed := func(err error, first bool) {
		s.metrics.failed(name, "accept")
		if first {
			s.log.Warn("connections can't be accepted; trying again", "protocol", name, "error", err)
		}
	}
	for {
		conn, err := accept(s.ctx, l, failed)
		if err != nil {
			if s.draining.Load() {
				return nil
			}
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		s.metrics.accepted(name)
		if !s.begin() {
			conn.Close()
			continue
		}
		go s.serve(conn, name, protocol)
	}
}

// listen adds a listener to those that Shutdown closes; false after Shutdown.
func (s *Server) listen(l net.Listener, protocol protocols.Protocol) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.open = append(s.open, listener{l, protocol})
	return true
}

// begin counts a connection among those that Shutdown waits for; false after
// Shutdown, which may not be waiting any more.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.serving.Add(1)
	return true
}

// serve is the way of one connection.
func (s *Server) serve(conn net.Conn, name string, protocol protocols.Protocol) {
	defer s.serving.Done()
	front := &frontend{conn: conn}
	defer front.close()
	defer s.recover(name)
	leave, ok := s.pending.enter(conn.RemoteAddr())
	if !ok {
		s.metrics.failed(name, "crowded")
		return
	}
	timeout := s.HandshakeTimeout
	if timeout == 0 {
		timeout = defaultHandshakeTimeout
	}
	st := &startup{server: s, conn: conn, timeout: timeout, leave: leave}
	defer st.done()
	ctx, done := context.WithTimeout(s.ctx, timeout)
	defer done()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		s.metrics.failed(name, "handshake")
		return
	}
	// A handshake that waits for its client ends with the server's patience.
	uncut := context.AfterFunc(s.ctx, func() { conn.Close() })
	defer uncut()

	session, err := protocol.Handshake(protocols.WithSecured(protocols.WithStay(ctx, st.stay), front.secure), conn)
	if err != nil {
		s.handshakeFailed(conn, name, err)
		return
	}
	live := session.Route().Live
	held, reason := s.sessions.take(session.Route())
	if reason != 0 {
		session.Refuse(reason)
		s.metrics.refused(name, reason)
		s.log.Info("session refused", "protocol", name, "workspace", live.Name, "reason", reason.String(), "client", conn.RemoteAddr().String())
		return
	}
	defer held.release()
	connecting, connected, err := st.connecting(ctx)
	if err != nil {
		s.metrics.failed(name, "connect")
		return
	}
	defer connected()
	relay, err := session.Connect(connecting)
	if err != nil {
		s.metrics.failed(name, "connect")
		s.log.Warn("session not connected", "protocol", name, "workspace", live.Name, "client", conn.RemoteAddr().String(), "error", err)
		return
	}
	uncut()
	if err := conn.SetDeadline(time.Time{}); err != nil {
		s.metrics.failed(name, "connect")
		relay.Stop(protocols.Draining)
	}
	st.done()
	connected()
	done()
	s.relay(held, name, session, relay, conn)
}

// relay runs a ready session between its two log lines.
func (s *Server) relay(held *slot, name string, session protocols.Session, relay protocols.Relay, conn net.Conn) {
	id, started := s.nextID.Add(1), time.Now()
	log := s.log.With("session", id, "protocol", name, "workspace", session.Route().Live.Name)
	log.Info("session started", "client", conn.RemoteAddr().String(), "user", session.User())
	s.metrics.started(name)
	held.attach(relay)
	err := errPanicked
	defer func() {
		in, out := relay.Traffic()
		s.metrics.ended(name, in, out)
		log.Info("session ended", "duration_ms", time.Since(started).Milliseconds(), "bytes_in", in, "bytes_out", out, "reason", ended(err))
	}()
	err = relay.Run(s.ctx)
}

// errPanicked is how a session ended that did not return.
var errPanicked = errors.New("panic")

// ended is the reason of a session's end for the log.
func ended(err error) string {
	if err == nil {
		return "client left"
	}
	return err.Error()
}

func (s *Server) handshakeFailed(conn net.Conn, name string, err error) {
	if errors.Is(err, protocols.ErrServed) {
		return
	}
	s.metrics.failed(name, "handshake")
	s.log.Debug("handshake failed", "protocol", name, "client", conn.RemoteAddr().String(), "error", err)
}

// recover keeps one session's bug from ending all others.
func (s *Server) recover(name string) {
	if r := recover(); r != nil {
		s.metrics.failed(name, "panic")
		s.log.Error("session panicked", "protocol", name, "panic", fmt.Sprint(r), "stack", stack())
	}
}

// CloseWorkspace ends the sessions of a deleted workspace.
func (s *Server) CloseWorkspace(ctx context.Context, workspaceID int64) {
	s.sessions.closeWorkspace(ctx, workspaceID)
	s.Renew(workspaceID)
}

// CloseKey ends the sessions of a revoked key's login.
func (s *Server) CloseKey(ctx context.Context, key *workspace.LiveKey) {
	s.sessions.closeKey(ctx, key)
}

// Renew has the next sessions of a workspace find nothing that earlier ones left
// warm.
func (s *Server) Renew(workspaceID int64) {
	s.mu.Lock()
	open := slices.Clone(s.open)
	s.mu.Unlock()
	for _, l := range open {
		l.protocol.Forget(workspaceID)
	}
}

// Shutdown closes the listeners, refuses new sessions, and ends the open ones
// after the statement at hand; those that are left when ctx ends are cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for _, l := range s.open {
		l.socket.Close()
	}
	s.mu.Unlock()
	s.drain()
	s.sessions.stopAll(protocols.Draining)
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.serving.Wait()
	}()
	select {
	case <-served:
		s.cancel()
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.sessions.stopAll(protocols.Cut)
	<-served
	return fmt.Errorf("drain: %w", ctx.Err())
}

var _ workspace.Sessions = (*Server)(nil)
