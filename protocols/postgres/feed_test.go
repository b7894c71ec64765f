package postgres

import (
	"bytes"
	"fmt"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// feed drives the scanners as the relay does, without connections: what a
// scan leaves is kept for the next, verdicts are carried out and noted.
type feed struct {
	track
	guard   guard
	maxRows int64
	timeout time.Duration
	now     int64

	front, back       []byte // received, not passed
	toBackend, toUser []byte
	verdicts          []string
	settling          bool // until a verdict to settle is carried out
	ended             error
}

func newFeed() *feed { return &feed{track: track{status: 'I'}} }

// trackedFeed is newFeed in a workspace that is tracked, or not.
func trackedFeed(tracked bool) *feed {
	f := newFeed()
	if tracked {
		f.guard = guardOf(workspace.Tenant, false)
	}
	return f
}

// frontend receives b from the client.
func (f *feed) frontend(b []byte) {
	f.front = append(f.front, b...)
	if f.settling && f.unsettled() {
		return
	}
	f.settling = false
	for f.ended == nil {
		s, err := f.scanFrontend(f.front, &f.guard, f.now, f.timeout)
		f.toBackend = append(f.toBackend, f.front[:s.pass]...)
		f.front = f.front[s.pass:]
		f.ended = err
		switch s.act {
		case refuse:
			f.verdicts = append(f.verdicts, fmt.Sprintf("refuse %c", f.front[0]))
			f.front = f.front[s.size:]
		case replace:
			f.verdicts = append(f.verdicts, fmt.Sprintf("replace %c", f.front[0]))
			f.front = f.front[s.size:]
		case spoil:
			f.verdicts = append(f.verdicts, "spoil")
			f.batch.feigned, f.batch.spoilt = false, true
		case terminate:
			f.verdicts = append(f.verdicts, "terminate")
			f.ended = window.ErrGoodbye
		case full:
			f.verdicts = append(f.verdicts, "full")
			return
		case settle:
			f.verdicts = append(f.verdicts, "settle")
			f.settling = true
			return
		default:
			return
		}
	}
}

// backend receives b from the server.
func (f *feed) backend(b []byte) {
	f.back = append(f.back, b...)
	for f.ended == nil {
		s, err := f.scanBackend(f.back, f.maxRows, f.now, f.timeout)
		f.toUser = append(f.toUser, f.back[:s.pass]...)
		f.back = f.back[s.pass:]
		f.ended = err
		switch s.act {
		case record:
			f.verdicts = append(f.verdicts, fmt.Sprintf("record before %c", f.back[0]))
			f.settled = true
		case renew:
			f.verdicts = append(f.verdicts, "renew")
			f.defaults = false
		case awaitReady:
			f.verdicts = append(f.verdicts, "await ready")
			f.stop = running
		case limitRows:
			f.verdicts = append(f.verdicts, "limit rows")
			f.toUser = append(f.toUser, frame('E', []byte("limit\x00"))...)
			f.drop(s.size)
		case rewrite:
			f.verdicts = append(f.verdicts, "rewrite")
			f.toUser = append(f.toUser, frame('E', []byte("timeout\x00"))...)
			f.drop(s.size)
		case bare:
			f.verdicts = append(f.verdicts, "bare")
			f.toUser = append(f.toUser, encode(nil, bareError(f.back[headerLen:s.size]))...)
			f.drop(s.size)
		case retag:
			f.verdicts = append(f.verdicts, "retag")
			f.toUser = append(f.toUser, complete(s.text)...)
			f.drop(s.size)
		case swallowed:
			f.drop(s.size)
		default:
			return
		}
	}
}

func (f *feed) drop(n int) {
	f.back = f.back[n:]
	f.dropped(n)
}

// turn is what one side says in a conversation.
type turn struct {
	from byte // 'F' or 'B'
	text []byte
}

func user(frames ...[]byte) turn   { return turn{'F', bytes.Join(frames, nil)} }
func server(frames ...[]byte) turn { return turn{'B', bytes.Join(frames, nil)} }

func (f *feed) hear(from byte, b []byte) {
	if from == 'F' {
		f.frontend(b)
	} else {
		f.backend(b)
	}
}
