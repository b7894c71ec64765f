package mongodb

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// client is a connection from its TLS handshake to its end.
type client struct {
	protocol *Protocol
	conn     net.Conn // in TLS
	in       window.Window
	number   int32 // the connectionId that it sees
	user     string
	database string // that it is bound to, or may be
	// authenticated: its login was checked. loggedOut: and given up.
	authenticated, loggedOut bool
}

// request is one message of a client, in place.
type request struct {
	message
	frame    []byte  // what is held of it, from its header on
	name     []byte  // of the command
	first    element // the command itself
	database []byte  // its $db
	maxTime  element
	lsid     element // the session that it is sent in
	query    query   // of a legacy OP_QUERY, where it is one
	legacy   bool
	method   compressor // it came in OP_COMPRESSED
	packed   bool       // and so frame is not in the window
	inTx     bool       // it is part of a transaction
	// What drivers do again after an error of the proxy's with such a label: the
	// command, its transaction, or its change stream from where it was.
	retryable, transient, resumable bool
}

const firstHold = 32 << 10

// receive reads the next message as far as rules must see it. The request is
// valid until the next read of c.in; most bounds its length. began is called
// with its first bytes, where they did not come with those before.
func (c *client) receive(q *request, most int32, began func()) error {
	for room := 0; ; {
		need, err := c.parse(q, most)
		if !errors.Is(err, errShort) {
			return err
		}
		have := len(c.in.Bytes())
		// What a client claims to send is not allocated before it sent some of it.
		if need > have && have >= room {
			room = min(need, max(2*have, firstHold))
			if err := c.in.Hold(room, maxMessage); err != nil {
				return fmt.Errorf("hold message: %w", err)
			}
		}
		if err := c.in.Fill(c.conn); err != nil {
			return fmt.Errorf("read frontend: %w", err)
		}
		if have == 0 && began != nil {
			began()
		}
	}
}

// parse reads the message at the window's begin.
func (c *client) parse(q *request, most int32) (need int, err error) {
	b := c.in.Bytes()
	*q = request{}
	h, err := readHeader(b, most)
	if err != nil {
		return 0, err
	}
	frame := b[:min(len(b), int(h.length))]
	switch {
	case h.opcode == opMsg:
		if need, err := parseMessage(frame, h, &q.message); err != nil {
			return need, err
		}
	case h.opcode != opCompressed && h.opcode != opQuery:
		return 0, protocolError(fmt.Sprintf("opcode %d is not supported", h.opcode))
	case len(frame) < int(h.length):
		return int(h.length), errShort
	case h.opcode == opQuery:
		q.header, q.legacy = h, true
		if q.query, err = parseQuery(frame); err != nil {
			return 0, err
		}
		q.body = q.query.document
	default:
		if !c.authenticated {
			return 0, protocolError("OP_COMPRESSED before authentication")
		}
		whole := len(frame)
		if frame, q.method, err = c.protocol.codecs.unpack(frame, h); err != nil {
			return 0, err
		}
		q.packed = true
		if h, err = readHeader(frame, maxMessage); err != nil {
			return 0, err
		}
		if _, err := parseMessage(frame, h, &q.message); err != nil {
			return 0, notShort(err)
		}
		c.in.Discard(whole)
	}
	q.frame = frame
	return 0, q.read()
}

// notShort is err for a message that is all there.
func notShort(err error) error {
	if errors.Is(err, errShort) {
		return protocolError("OP_MSG ends within a section")
	}
	return err
}

// read goes over the command's own elements.
func (q *request) read() error {
	w, err := document(q.body)
	if err != nil {
		return protocolError(err.Error())
	}
	numbered := false // as a driver numbers what it may send twice
	for w.more() {
		e, err := w.next()
		if err != nil {
			return protocolError(err.Error())
		}
		if q.name == nil {
			q.name, q.first = e.key, e
		}
		if len(e.key) == 0 {
			continue
		}
		switch e.key[0] {
		case '$':
			if string(e.key) == "$db" {
				if q.database != nil {
					return protocolError("the command has two $db")
				}
				s, ok := e.text()
				if !ok {
					return protocolError("$db is not a string")
				}
				q.database = s
			}
		case 'm':
			if string(e.key) == "maxTimeMS" {
				q.maxTime = e
			}
		case 'l':
			if string(e.key) == "lsid" {
				q.lsid = e
			}
		case 'a':
			if string(e.key) == "autocommit" {
				q.inTx = !e.truth()
			}
		case 't':
			numbered = numbered || string(e.key) == "txnNumber"
		}
	}
	commits := string(q.name) == "commitTransaction"
	q.retryable = numbered && (!q.inTx || commits || string(q.name) == "abortTransaction")
	q.transient = q.inTx && !commits
	q.resumable = string(q.name) == "getMore"
	return nil
}

// collection is the name that is the command's own value; nil where that is no
// name.
func (q *request) collection() []byte {
	if q.first.kind == 0 {
		return nil
	}
	name, _ := q.first.text()
	return name
}

// whole says whether all of the message is held.
func (q *request) whole() bool { return q.packed || len(q.frame) >= int(q.length) }

// silent says that the client waits for no reply.
func (q *request) silent() bool { return !q.legacy && q.flags&flagMoreToCome != 0 }

// writeTimeout bounds the proxy's own short replies to a client that does not
// read.
const writeTimeout = 10 * time.Second

// reply answers q with a document of the proxy's own.
func (c *client) reply(q *request, doc []byte) error {
	if q.silent() {
		return nil
	}
	return c.write(c.encode(q, c.protocol.nextRequest(), q.requestID, 0, doc))
}

// fail answers q with an error.
func (c *client) fail(q *request, f *failure) error { return c.reply(q, f.document(f.labels(q)...)) }

// answerWith answers q with what the proxy itself says to it.
func (c *client) answerWith(q *request, answer answerFunc) error {
	doc, f := answer(c, q)
	if f != nil {
		return c.fail(q, f)
	}
	return c.reply(q, doc)
}

// encode is a reply in the form that q has.
func (c *client) encode(q *request, requestID, responseTo int32, flags uint32, doc []byte) []byte {
	if q.legacy {
		return appendReply(nil, requestID, responseTo, doc)
	}
	whole := appendMessage(nil, requestID, responseTo, flags, doc)
	if q.method == noCompressor {
		return whole
	}
	packed, err := c.protocol.codecs.appendPacked(nil, q.method, whole)
	if err != nil {
		return whole // a reply need not be compressed
	}
	return packed
}

func (c *client) write(b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	if _, err := c.conn.Write(b); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	if err := c.conn.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	return nil
}

// lastWords tells a client that waits for the reply to q why its connection
// ends.
func (c *client) lastWords(q *request, f *failure) {
	// The connection ends with f whether or not the client hears it.
	_ = c.fail(q, f)
}

// isGoodbye says whether the client ended as clients do.
func isGoodbye(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) }

// interrupted says whether a read ended because it was told to.
func interrupted(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
