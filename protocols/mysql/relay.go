package mysql

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// relay is both directions of a ready session, each with its own window; its
// life says how they begin and end. What both change is under mu, which is never
// held across I/O.
type relay struct {
	protocol *Protocol
	route    workspace.Route
	live     *workspace.Live
	id       uint32 // the connection's number in the greeting
	user     string
	front    *tls.Conn
	rest     []byte // read in the lobby, and for the backend
	back     *backend
	poolKey  poolKey
	log      *slog.Logger

	fromFrontend window.Window
	fromBackend  window.Window
	in, out      atomic.Int64

	// deadline mirrors track.deadline for the wheel, which looks at every
	// session and locks only those that are late.
	deadline atomic.Int64

	mu        sync.Mutex
	life      window.Life
	track     track
	enforcing *window.Enforcement
	ended     bool // the backend is no longer ours to kill
}

func newRelay(p *Protocol, route workspace.Route, st *startup, b *backend, key poolKey) *relay {
	r := &relay{
		protocol: p,
		route:    route,
		live:     route.Live,
		id:       st.id,
		user:     st.user,
		front:    st.conn,
		back:     b,
		poolKey:  key,
		log:      p.config.Log,
	}
	r.life.Begin(&r.mu, r.front, b.conn)
	r.track.capabilities = b.capabilities
	r.track.database = route.Database
	r.track.tracked = route.Live.Mode == workspace.Tenant
	r.track.deployed = route.Live.Mode == workspace.Deployed
	p.sessions.add(r)
	return r
}

// Traffic is the bytes relayed so far.
func (r *relay) Traffic() (in, out int64) { return r.in.Load(), r.out.Load() }

// Run relays until either side ends or Stop took effect.
func (r *relay) Run(ctx context.Context) error {
	r.protocol.wheel.Add(r)
	return r.life.Run(ctx, r)
}

// Stop makes Run end.
func (r *relay) Stop(reason protocols.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	why := reasonFailure(reason, r.live)
	if reason == protocols.Draining {
		r.life.Drain(why, r.track.idle())
		return
	}
	r.life.Cut(why)
}

// PumpFrontend relays what the client sends.
func (r *relay) PumpFrontend(ctx context.Context) error {
	src := io.Reader(r.front)
	if len(r.rest) > 0 {
		src = io.MultiReader(bytes.NewReader(r.rest), r.front)
		r.rest = nil
	}
	for {
		if err := r.fromFrontend.Fill(src); err != nil {
			return fmt.Errorf("read frontend: %w", err)
		}
		if err := r.forwardFrontend(ctx); err != nil {
			return err
		}
	}
}

func (r *relay) writeBackend(b []byte) error { return window.WriteBackend(r.back.conn, b) }

// forwardFrontend passes on what the window holds, but for an incomplete
// packet at its end that has to be seen whole.
func (r *relay) forwardFrontend(ctx context.Context) error {
	for {
		b := r.fromFrontend.Bytes()
		s, err := r.scanFrontend(b)
		if s.outdates {
			// MariaDB's connections keep the character set of the database that
			// they are in, and give it to programs that they make.
			r.protocol.Forget(r.live.ID)
		}
		if s.pass > 0 {
			r.in.Add(int64(s.pass))
			if err := r.writeBackend(b[:s.pass]); err != nil {
				return err
			}
			r.fromFrontend.Discard(s.pass)
		}
		if err != nil {
			return err
		}
		switch s.act {
		case terminate:
			return window.ErrGoodbye
		case busy:
			if !r.awaitReply() {
				return window.ErrGoodbye
			}
		case judge:
			r.announce(b[s.pass:], s.size)
		case mapKill:
			r.fromFrontend.Discard(s.size)
			if err := r.mapKill(s.kill); err != nil {
				return err
			}
		case changeUser:
			if err := r.changeUser(ctx, b[s.pass+headerLen:s.pass+s.size]); err != nil {
				return err
			}
		case dropped:
			r.fromFrontend.Discard(s.size)
			r.mu.Lock()
			r.track.dropFront(s.size)
			r.mu.Unlock()
		case refuse:
			if err := r.deny(); err != nil {
				return err
			}
		default:
			if err := r.fromFrontend.Hold(s.need, maxStatement); err != nil {
				return fmt.Errorf("hold frontend packet: %w", err)
			}
			return nil
		}
	}
}

// scanFrontend is track's, under the lock.
func (r *relay) scanFrontend(b []byte) (step, error) {
	now, timeout := r.protocol.wheel.Now(), r.live.QueryTimeout()
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.track.scanFrontend(b, now, timeout)
	s.outdates, r.track.outdates = r.track.outdates, false
	r.deadline.Store(r.track.deadline)
	return s, err
}

// arm starts the clock for a command that the relay sent itself. The caller
// holds the lock.
func (r *relay) arm() {
	r.track.arm(r.protocol.wheel.Now(), r.live.QueryTimeout())
	r.deadline.Store(r.track.deadline)
}

// awaitReply waits until the reply at hand has ended; false when the relay
// ends.
func (r *relay) awaitReply() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.life.Await(func() bool { return r.track.owed })
}

// announce tells of the statement in the command that b begins with, before it
// is sent. A text that is too long to be held is found in the journal only.
func (r *relay) announce(b []byte, size int) {
	r.mu.Lock()
	text := ""
	switch payload := b[headerLen:min(size, len(b))]; {
	case payload[0] != mysql.COM_QUERY:
		f := fields{b: payload[1:]}
		text, _ = r.track.statements.text(f.uint32())
	case len(b) >= size:
		text = string(r.track.capabilities.queryText(payload[1:]))
	}
	r.track.judged, r.track.announce = true, true
	r.mu.Unlock()
	if text != "" {
		r.protocol.config.Recorder.Announce(r.live.ID, r.back.id, text)
	}
}

// deny tells the client that its command, which was dropped, is refused.
func (r *relay) deny() error {
	r.mu.Lock()
	f := r.track.refused
	r.track.refused = nil
	r.mu.Unlock()
	return r.tell(f, 1)
}

// tell sends the client an ERR packet, at a packet's edge.
func (r *relay) tell(f *failure, sequence byte) error {
	packet := f.append(nil, sequence)
	r.out.Add(int64(len(packet)))
	if _, err := r.front.Write(packet); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	return nil
}

// claim keeps the backend from the next session until a KILL for it has
// arrived; nil where it is no longer this session's.
func (r *relay) claim() *backend {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil
	}
	r.back.kills.Add(1)
	return r.back
}
