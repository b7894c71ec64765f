package redis

import (
	"errors"
	"slices"

	"github.com/tidwall/redcon"
)

// errUnowed is a reply that nobody waits for.
var errUnowed = errors.New("a reply that is not owed")

// replies is what the backend's direction knows of a session. Only that
// direction changes it.
type replies struct {
	splice
	v        value
	dropping bool // the value under way is left out
	aside    bool // it is no reply that is owed
	resp3    bool

	elements     int                 // of an EXEC still to come, the one under way among them
	index        int                 // of the one under way
	shape        []bool              // which of them are left out
	translations map[int]translation // of some of them
	failed       bool                // the command within hidden MULTI and EXEC was refused

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
			if errors.Is(err, errPush) {
				size, need, limit, err := r.postpone(b, pos)
				if errors.Is(err, errShort) {
					return pos, need, limit, nil
				}
				if err != nil {
					return pos, 0, 0, err
				}
				pos += size
				continue
			}
			if err != nil || !done {
				return pos, 0, maxHeld, err
			}
			r.valueDone()
			continue
		}
		if r.told.any && s.elements == 0 {
			r.deliver(b, pos)
		}
		if next := r.passRun(b, pos); next > pos {
			pos = next
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
	if r.told.any && s.elements == 0 && !s.v.within() {
		r.deliver(b, pos)
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
	if b[pos] == '>' && s.elements > 0 {
		return r.postpone(b, pos)
	}
	if b[pos] == '>' || b[pos] == '*' && s.elements == 0 && !s.resp3 && s.heard.subscribed+s.heard.sharded > 0 {
		size, need, limit, aside, err := r.beginAside(b, pos)
		if aside || err != nil {
			return size, need, limit, err
		}
	}
	if s.elements > 0 {
		if s.index < len(s.shape) && s.shape[s.index] {
			s.hide(b, pos)
		} else if t := s.translations[s.index]; t != nil {
			if done, size, need, limit, err := t.translate(r, b, pos); done {
				return size, need, limit, err
			}
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
			return r.beginExec(b, pos, wrapShape, nil, false)
		}
	case executed:
		if b[pos] == '*' {
			return r.beginExec(b, pos, owed.shape, owed.translations, true)
		}
	case confirmed:
		if !refused {
			return r.confirm(b, pos, owed)
		}
		for owed.n > 1 {
			r.settle() // one error answers them all
		}
	case surveyed, moved:
		need, err := r.learn(b, pos, owed)
		return 0, need, maxHeld, err
	case tracked:
		s.heard.prefixes = owed.prefixes
	case translated:
		if !owed.muted {
			if done, size, need, limit, err := owed.translation.translate(r, b, pos); done {
				return size, need, limit, err
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
func (r *relay) beginExec(b []byte, pos int, shape []bool, translations map[int]translation, counted bool) (size, need, limit int, err error) {
	s := &r.replies
	n, size, err := aggregate(b[pos:])
	if err != nil {
		return 0, 0, 0, err
	}
	muted := r.owed.front().muted
	if n < 0 { // the client's WATCH failed
		if muted {
			s.hide(b, pos)
		}
		s.v.begin()
		return 0, 0, 0, nil
	}
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
		header = redcon.AppendArray(nil, shown)
	}
	s.put(b, pos, size, header...)
	s.elements, s.index, s.shape, s.translations = n, 0, shape, translations
	if n == 0 {
		r.settle()
	}
	return size, 0, 0, nil
}
