package redis

import (
	"bytes"
	"errors"
	"slices"

	"github.com/tidwall/redcon"
)

// maxFan bounds a message for several patterns of one client, which is held to
// be repeated.
const maxFan = 16 << 20

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
	out, complete, need, limit, err := r.translated(b[pos:], &p)
	if err != nil {
		return 0, need, limit, err
	}
	s.put(b, pos, p.size, out...)
	s.aside = true
	s.dropping = complete
	s.v.begin() // the payload
	return p.size, 0, 0, nil
}

// translated is what the client gets in the place of the message at b[0] up to
// its payload, p being read up to there. complete says that the payload is not for
// the client.
func (r *relay) translated(b []byte, p *pubsubValue) (out []byte, complete bool, need, limit int, err error) {
	heard := &r.replies.heard
	if need, err := p.readFirst(b); err != nil {
		return nil, false, need, maxHeld, err
	}
	byPattern := string(p.kind) == "pmessage"
	var invalidation []byte
	tracks := false
	if byPattern {
		pattern := p.first
		if need, err := p.readFirst(b); err != nil {
			return nil, false, need, maxHeld, err
		}
		invalidation, tracks = r.channels.invalidation(pattern, p.first, heard.prefixes)
	}
	channel, known := r.channels.client(p.first)
	if known {
		signed, need, err := r.channels.ofSign(p.first, b[p.size:])
		if err != nil {
			return nil, false, p.size + need, maxHeld, err
		}
		known = !signed
	}
	head := b[:p.head]
	switch {
	case tracks:
		return invalidation, true, 0, 0, nil
	case !known:
	case !byPattern:
		out = redcon.AppendBulkString(redcon.AppendBulk(slices.Clone(head), p.kind), channel)
	default:
		patterns := heard.matching(channel)
		if len(patterns) > 1 {
			_, _, payload, err := text(b[p.size:])
			if err != nil {
				return nil, false, p.size + payload, maxFan, err
			}
			for _, pattern := range patterns[1:] {
				out = appendMessage(out, head, pattern, channel)
				out = append(out, b[p.size:p.size+payload]...)
			}
		}
		if len(patterns) > 0 {
			out = appendMessage(out, head, patterns[0], channel)
		}
	}
	return out, len(out) == 0, 0, 0, nil
}

// postpone takes a push out of the reply, or the EXEC, that the server sent it
// within, as Redis before 7.2 does with what a command tells its own client: a
// client can take it between two replies only.
func (r *relay) postpone(b []byte, pos int) (size, need, limit int, err error) {
	n, size, err := aggregate(b[pos:])
	if err != nil {
		return 0, 0, maxHeld, err
	}
	push := value{pending: int64(n)}
	rest, done, err := push.advance(b[pos+size:])
	size += rest
	switch {
	case err != nil || n < 1:
		return 0, 0, 0, errReply
	case !done:
		return 0, 0, maxFan, errShort
	}
	whole := b[pos : pos+size]
	p, _, err := readPubsub(whole)
	if err != nil {
		return 0, 0, 0, errReply
	}
	out := whole
	tracks := false
	switch string(p.kind) {
	case "message", "smessage", "pmessage":
		var complete bool
		if out, complete, _, _, err = r.translated(whole, &p); err != nil {
			return 0, 0, 0, errReply
		}
		if tracks = complete && len(out) > 0; !complete {
			out = append(out, whole[p.size:]...)
		}
	}
	told := &r.told
	switch over := len(told.later) + len(out); {
	case tracks && over > maxTold:
		told.all, told.keys = true, nil
	case over > maxFan:
		return 0, 0, 0, errReply
	default:
		told.later = append(told.later, out...)
	}
	told.any = told.any || len(told.later) > 0 || told.all
	r.replies.put(b, pos, size)
	return size, 0, 0, nil
}

// ofSign says whether a notification with payload is of a sign.
func (c *channels) ofSign(channel, payload []byte) (is bool, need int, err error) {
	if key, ok := bytes.CutPrefix(channel, []byte(c.keyspace)); ok {
		return isSign(key), 0, nil
	}
	if !bytes.HasPrefix(channel, []byte(c.keyevent)) {
		return false, 0, nil
	}
	n, _, err := header(payload)
	switch {
	case errors.Is(err, errShort):
		return false, 0, err
	case err != nil || n != int64(signLength):
		return false, 0, nil
	}
	key, _, need, err := text(payload)
	return err == nil && isSign(key), need, err
}

// appendMessage encodes a pmessage up to its payload.
func appendMessage(dst, head []byte, pattern, channel string) []byte {
	dst = append(dst, head...)
	dst = redcon.AppendBulkString(dst, "pmessage")
	dst = redcon.AppendBulkString(dst, pattern)
	return redcon.AppendBulkString(dst, channel)
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
			name := redcon.AppendBulkString(nil, l.pattern)
			if l.nameless {
				name = []byte("_\r\n")
			}
			out = appendConfirmation(b[pos:pos+p.head], kind, name, h.counted(count))
		}
	} else if p.null {
		out = appendConfirmation(b[pos:pos+p.head], kind, b[pos+p.size-nullSize(b[pos:], p):pos+p.size], shown)
	} else if channel, known := r.channels.client(p.first); known {
		out = appendConfirmation(b[pos:pos+p.head], kind, redcon.AppendBulkString(nil, channel), shown)
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
	out := redcon.AppendBulkString(slices.Clone(head), kind)
	out = append(out, name...)
	return redcon.AppendInt(out, count)
}
