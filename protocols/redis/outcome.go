package redis

import (
	"bytes"
	"errors"
	"slices"
)

// errUnowed is a reply that nobody waits for.
var errUnowed = errors.New("a reply that is not owed")

// maxFan bounds a message for several patterns of one client, which is held to
// be repeated.
const maxFan = 16 << 20

// replies is what the backend's direction knows of a session. Only that
// direction changes it.
type replies struct {
	splice
	v        value
	dropping bool // the value under way is left out
	aside    bool // it is no reply that is owed
	resp3    bool

	elements int    // of an EXEC still to come, the one under way among them
	index    int    // of the one under way
	shape    []bool // which of them are left out
	failed   bool   // the command within hidden MULTI and EXEC was refused

	heard heard
}

// wrapShape is which elements of the EXEC around one command are left out.
var wrapShape = []bool{true, false, true}

// hide leaves out the value that begins at pos.
func (s *replies) hide(b []byte, pos int) {
	s.cut(b, pos)
	s.dropping = true
	s.v.begin()
}

// put puts bytes in the place of size bytes at pos.
func (s *replies) put(b []byte, pos, size int, bytes ...byte) {
	s.cut(b, pos)
	s.out = append(s.out, bytes...)
	s.drop(pos + size)
}

// scanBackend goes over what the server sent. need is how many bytes from pos
// on must be there to go on, where that is known, and limit how many may be
// held for it.
func (r *relay) scanBackend(b []byte) (pos, need, limit int, err error) {
	s := &r.replies
	for pos < len(b) {
		if s.v.within() {
			n, done, err := s.v.advance(b[pos:])
			pos += n
			if s.dropping {
				s.drop(pos)
			}
			if err != nil || !done {
				return pos, 0, maxHeld, err
			}
			r.valueDone()
			continue
		}
		size, need, limit, err := r.beginValue(b, pos)
		if errors.Is(err, errShort) {
			return pos, need, max(limit, maxHeld), nil
		}
		if err != nil {
			return pos, 0, 0, err
		}
		pos += size
	}
	return pos, 0, maxHeld, nil
}

// valueDone ends the value under way.
func (r *relay) valueDone() {
	s := &r.replies
	s.dropping = false
	if s.aside {
		s.aside = false
		return
	}
	if s.elements > 0 {
		s.elements--
		s.index++
		if s.elements > 0 {
			return
		}
	}
	r.settle()
}

// settle takes one reply off those owed.
func (r *relay) settle() {
	if done, last := r.owed.settle(); last && done.claim != nil {
		done.claim.settle()
	}
}

// beginValue begins the value at pos: size is how much of it was dealt with
// here.
func (r *relay) beginValue(b []byte, pos int) (size, need, limit int, err error) {
	s := &r.replies
	if b[pos] == '>' || b[pos] == '*' && s.elements == 0 && !s.resp3 && s.heard.subscribed+s.heard.sharded > 0 {
		size, need, limit, aside, err := r.beginAside(b, pos)
		if aside || err != nil {
			return size, need, limit, err
		}
	}
	if s.elements > 0 {
		if s.index < len(s.shape) && s.shape[s.index] {
			s.hide(b, pos)
		}
		s.v.begin()
		return 0, 0, 0, nil
	}
	owed := r.owed.front()
	if owed == nil {
		return 0, 0, 0, errUnowed
	}
	return r.beginReply(b, pos, owed)
}

// beginReply begins the reply to owed.
func (r *relay) beginReply(b []byte, pos int, owed *reply) (size, need, limit int, err error) {
	s := &r.replies
	refused := b[pos] == '-' || b[pos] == '!'
	switch owed.kind {
	case swallowed:
		s.hide(b, pos)
		return 0, 0, 0, nil
	case replaced:
		s.cut(b, pos)
		if !owed.muted {
			s.out = append(append(s.out, owed.text...), '\r', '\n')
		}
		s.hide(b, pos)
		return 0, 0, 0, nil
	case greeted:
		if !refused && owed.text != "0" {
			s.resp3 = owed.text == "3"
		}
	case queued:
		s.failed = refused
		if !refused {
			s.hide(b, pos)
			return 0, 0, 0, nil
		}
	case wrapped:
		failed := s.failed
		s.failed = false
		if refused && failed {
			s.hide(b, pos)
			return 0, 0, 0, nil
		}
		if b[pos] == '*' {
			return r.beginExec(b, pos, wrapShape, false)
		}
	case executed:
		if b[pos] == '*' {
			return r.beginExec(b, pos, owed.shape, true)
		}
	case confirmed:
		if !refused {
			return r.confirm(b, pos, owed)
		}
		for owed.n > 1 {
			r.settle() // one error answers them all
		}
	case published:
		if b[pos] == ':' && !owed.muted {
			n, size, err := integer(b[pos:])
			if err != nil {
				return 0, 0, maxHeld, err
			}
			s.put(b, pos, size, appendHeader(nil, ':', int(r.space.receivers(n, owed.text)))...)
			r.settle()
			return size, 0, 0, nil
		}
	case readOnly:
		if refused {
			end := bytes.IndexByte(b[pos:], '\n')
			if end < 0 {
				return 0, 0, maxHeld, errShort
			}
			if bytes.Contains(b[pos:pos+end], []byte("read-only scripts")) {
				owed.kind, owed.text = replaced, "-"+owed.text
				return r.beginReply(b, pos, owed)
			}
		}
	}
	if owed.muted {
		s.hide(b, pos)
	}
	s.v.begin()
	return 0, 0, 0, nil
}

// beginExec begins the array of EXEC. counted says that the client gets it,
// with as many elements as are left in.
func (r *relay) beginExec(b []byte, pos int, shape []bool, counted bool) (size, need, limit int, err error) {
	s := &r.replies
	n, size, err := aggregate(b[pos:])
	if err != nil {
		return 0, 0, 0, err
	}
	if n < 0 { // the client's WATCH failed
		s.v.begin()
		return 0, 0, 0, nil
	}
	muted := r.owed.front().muted
	if muted {
		shape = slices.Repeat([]bool{true}, n)
	}
	var header []byte
	if counted && !muted {
		shown := n
		for _, hidden := range shape[:min(n, len(shape))] {
			if hidden {
				shown--
			}
		}
		header = appendHeader(nil, '*', shown)
	}
	s.put(b, pos, size, header...)
	s.elements, s.index, s.shape = n, 0, shape
	if n == 0 {
		r.settle()
	}
	return size, 0, 0, nil
}

// pubsubValue is the head of a message or confirmation: everything but the last
// element.
type pubsubValue struct {
	head  int // size of the header
	kind  []byte
	first []byte // channel, or pattern where kind has one
	null  bool   // there is no first
	size  int    // up to after first
}

func readPubsub(b []byte) (p pubsubValue, need int, err error) {
	_, p.head, err = aggregate(b)
	if err != nil {
		return p, 0, err
	}
	kind, _, size, err := text(b[p.head:])
	if err != nil {
		return p, p.head + size, err
	}
	p.kind, p.size = kind, p.head+size
	return p, 0, nil
}

func (p *pubsubValue) readFirst(b []byte) (need int, err error) {
	first, null, size, err := text(b[p.size:])
	if err != nil {
		return p.size + size, err
	}
	p.first, p.null = first, null
	p.size += size
	return 0, nil
}

// beginAside begins a value that may come between replies: a push, or in RESP2
// a message. aside is false for what is a reply after all.
func (r *relay) beginAside(b []byte, pos int) (size, need, limit int, aside bool, err error) {
	s := &r.replies
	push := b[pos] == '>'
	p, need, err := readPubsub(b[pos:])
	if err != nil {
		if !push && !errors.Is(err, errShort) {
			return 0, 0, 0, false, nil // an array of something else
		}
		return 0, need, maxHeld, true, err
	}
	switch string(p.kind) {
	case "message", "smessage", "pmessage":
		size, need, limit, err := r.message(b, pos, p)
		return size, need, limit, true, err
	case "subscribe", "ssubscribe", "psubscribe", "unsubscribe", "sunsubscribe", "punsubscribe":
		if owed := r.owed.front(); owed != nil && owed.kind == confirmed {
			size, need, limit, err := r.confirm(b, pos, owed)
			return size, need, limit, true, err
		}
	}
	if !push {
		return 0, 0, 0, false, nil
	}
	n, size, err := aggregate(b[pos:])
	if err != nil || n < 1 {
		return 0, 0, 0, true, errReply
	}
	s.aside = true
	s.v.pending = int64(n)
	return size, 0, 0, true, nil
}

// message translates the channel of a message.
func (r *relay) message(b []byte, pos int, p pubsubValue) (size, need, limit int, err error) {
	s := &r.replies
	if need, err := p.readFirst(b[pos:]); err != nil {
		return 0, need, maxHeld, err
	}
	byPattern := string(p.kind) == "pmessage"
	if byPattern {
		if need, err := p.readFirst(b[pos:]); err != nil {
			return 0, need, maxHeld, err
		}
	}
	channel, known := r.channels.client(p.first)
	head := b[pos : pos+p.head]
	var out []byte
	switch {
	case !known:
	case !byPattern:
		out = appendBulk(appendBulk(slices.Clone(head), p.kind), channel)
	default:
		patterns := s.heard.matching(channel)
		if len(patterns) > 1 {
			_, _, payload, err := text(b[pos+p.size:])
			if err != nil {
				return 0, p.size + payload, maxFan, err
			}
			for _, pattern := range patterns[1:] {
				out = appendMessage(out, head, pattern, channel)
				out = append(out, b[pos+p.size:pos+p.size+payload]...)
			}
		}
		if len(patterns) > 0 {
			out = appendMessage(out, head, patterns[0], channel)
		}
	}
	s.put(b, pos, p.size, out...)
	s.aside = true
	s.dropping = len(out) == 0
	s.v.begin() // the payload
	return p.size, 0, 0, nil
}

// appendMessage encodes a pmessage up to its payload.
func appendMessage(dst, head []byte, pattern, channel string) []byte {
	dst = append(dst, head...)
	dst = appendBulk(dst, "pmessage")
	dst = appendBulk(dst, pattern)
	return appendBulk(dst, channel)
}

// confirm translates a confirmation of owed.
func (r *relay) confirm(b []byte, pos int, owed *reply) (size, need, limit int, err error) {
	s, h := &r.replies, &r.replies.heard
	p, need, err := readPubsub(b[pos:])
	if err == nil {
		need, err = p.readFirst(b[pos:])
	}
	if err != nil {
		return 0, need, maxHeld, err
	}
	count, n, err := integer(b[pos+p.size:])
	if err != nil {
		return 0, 0, maxHeld, err
	}
	size = p.size + n
	kind := string(p.kind)
	leaves := kind == "unsubscribe" || kind == "sunsubscribe" || kind == "punsubscribe"
	last := p.null
	shown := count
	switch kind {
	case "ssubscribe", "sunsubscribe":
		h.sharded = count
		last = last || count == 0
	default:
		h.subscribed = count
		if kind == "psubscribe" || kind == "punsubscribe" {
			if !p.null {
				h.noteServer(string(p.first), leaves)
			}
		}
		last = last || count == int64(len(h.server))
		shown = h.counted(count)
	}
	var out []byte
	if l := owed.pattern; l != nil {
		if owed.n == 1 {
			h.note(r.space, l)
			kind = "psubscribe"
			if l.leaves {
				kind = "punsubscribe"
			}
			out = appendConfirmation(b[pos:pos+p.head], kind, appendBulk(nil, l.pattern), h.counted(count))
		}
	} else if p.null {
		out = appendConfirmation(b[pos:pos+p.head], kind, b[pos+p.size-nullSize(b[pos:], p):pos+p.size], shown)
	} else if channel, known := r.channels.client(p.first); known {
		out = appendConfirmation(b[pos:pos+p.head], kind, appendBulk(nil, channel), shown)
	}
	if owed.muted {
		out = nil
	}
	s.put(b, pos, size, out...)
	if !owed.all || last {
		r.settle()
	}
	return size, 0, 0, nil
}

// nullSize is the length of the null that p ends with.
func nullSize(b []byte, p pubsubValue) int {
	if b[p.size-3] == '_' {
		return 3 // RESP3
	}
	return len("$-1\r\n")
}

func appendConfirmation(head []byte, kind string, name []byte, count int64) []byte {
	out := appendBulk(slices.Clone(head), kind)
	out = append(out, name...)
	return appendHeader(out, ':', int(count))
}
