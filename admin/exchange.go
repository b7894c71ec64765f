package admin

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// writeWait is how long a client may take to accept one chunk of an answer.
const writeWait = 30 * time.Second

// exchange is one request and its answer. It is the http.ResponseWriter of its
// handlers and notes what went out.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	id      string
	started time.Time
	address netip.Addr // zero where the client has none (a unix socket)

	route     route
	vars      map[string]string
	principal workspace.Principal
	workspace string      // the one that is asked about
	noted     []slog.Attr // what else the audit log says of the action

	status int    // 0 until the header went out
	code   string // of the envelope
	bytes  int64  // of the body
}

// begin starts the exchange: its id, its clock, and the headers of any answer.
func (a *api) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{w: w, r: r, id: requestID(r), started: a.now(), address: remote(r)}
	// A kept connection still has the deadline of its last answer.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})

	h := w.Header()
	h.Set("X-Request-Id", x.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	return x
}

// end is the one exit of an exchange, also of one that panicked.
func (a *api) end(x *exchange) {
	fault := recover()
	aborted := false
	if fault != nil {
		err, _ := fault.(error)
		aborted = errors.Is(err, http.ErrAbortHandler) || x.status != 0
		if !errors.Is(err, http.ErrAbortHandler) {
			a.log.Error("request handler panicked", "request_id", x.id, "panic", fault, "stack", string(debug.Stack()))
		}
		if x.status == 0 {
			a.fail(x, errors.New("request handler panicked"))
		}
	}

	took := a.now().Sub(x.started)
	a.metrics.count(x, took)
	a.logAccess(x, took, aborted)
	a.logAction(x, aborted)
	if aborted {
		// Cuts the connection, so that half an answer is not taken for a whole.
		panic(http.ErrAbortHandler)
	}
}

// Header is the header of the answer.
func (x *exchange) Header() http.Header { return x.w.Header() }

// WriteHeader sends the header; only the first call counts.
func (x *exchange) WriteHeader(status int) {
	if x.status != 0 {
		return
	}
	x.status = status
	x.w.WriteHeader(status)
}

// Write sends a chunk of the body. A client that does not take it in time is
// cut off, so that it can't hold the answer in memory.
func (x *exchange) Write(p []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(writeWait))
	n, err := x.w.Write(p)
	x.bytes += int64(n)
	return n, err
}

// note adds to the audit record of the action.
func (x *exchange) note(attr slog.Attr) { x.noted = append(x.noted, attr) }

// requestID is the caller's X-Request-Id where it is fit for a log, else a new
// one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if saneID(id) {
		return id
	}
	return rand.Text()
}

func saneID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// remote is the address of the peer of the connection. Headers that claim
// another one are not believed: anyone can send them.
func remote(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
