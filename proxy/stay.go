package proxy

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// What bounds the connections that last without a session, as maxHandshakes
// does those before one.
const (
	maxStaying        = 4096
	maxStayingPerHost = 1024
)

// startup is a connection before its session: under the deadline over all of
// it, until its protocol lets it stay.
type startup struct {
	server  *Server
	conn    net.Conn
	timeout time.Duration
	leave   func() // gives back its place among those under the deadline

	once   sync.Once
	stayed bool
	depart func() // gives back its place among those that stay
}

// stay is what protocols.Stay does.
func (st *startup) stay() (context.Context, bool) {
	st.once.Do(func() {
		depart, ok := st.server.staying.enter(st.conn.RemoteAddr())
		if !ok {
			return
		}
		st.depart = depart
		st.stayed = st.conn.SetDeadline(time.Time{}) == nil
		st.leave()
	})
	return st.server.undrained, st.stayed
}

// done gives back the startup's places.
func (st *startup) done() {
	st.leave()
	if st.depart != nil {
		st.depart()
	}
}

// connecting is the context, and conn's deadline, for what is left of the
// startup: a connection that stayed gets them anew.
func (st *startup) connecting(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if !st.stayed {
		return ctx, func() {}, nil
	}
	if err := st.conn.SetDeadline(time.Now().Add(st.timeout)); err != nil {
		return nil, nil, fmt.Errorf("set deadline: %w", err)
	}
	ctx, done := context.WithTimeout(st.server.ctx, st.timeout)
	return ctx, done, nil
}
