package postgres

import (
	"time"
	"unsafe"
)

// maxName is how much of the name of a portal or a statement tells it from others.
const maxName = 64

// maxStatement is the longest statement text that is held for inspection.
const maxStatement = 1 << 20

// scanFrontend goes over what the client sent. g is what its statements are held
// to; now is the wheel's clock and timeout the workspace's limit.
func (t *track) scanFrontend(b []byte, g *guard, now int64, timeout time.Duration) (step, error) {
	pos := 0
	for pos < len(b) {
		if t.frontPass > 0 {
			n := min(t.frontPass, len(b)-pos)
			t.frontPass -= n
			pos += n
			continue
		}
		if t.owed.n >= maxOwed {
			return step{pass: pos, act: full}, nil
		}
		if t.toSpoil() {
			return step{pass: pos, act: spoil}, nil
		}
		rest := b[pos:]
		if len(rest) < headerLen {
			return step{pass: pos, need: headerLen}, nil
		}
		size, err := frameSize(rest)
		if err != nil {
			return step{pass: pos}, err
		}
		switch need, wait := t.waitsFor(rest, size); {
		case need > 0:
			return step{pass: pos, need: need}, nil
		case wait:
			return step{pass: pos, act: settle}, nil
		}
		switch rest[0] {
		case 'Q', 'P':
			if g.looks() && size <= maxStatement {
				if len(rest) < size {
					return step{pass: pos, need: size}, nil
				}
				instead, why := g.judge(statementText(rest[:size]))
				t.raises = t.raises || instead != "" || why != ""
				switch {
				case why != "":
					return step{pass: pos, act: refuse, size: size, why: why}, nil
				case instead != "":
					return step{pass: pos, act: replace, size: size, text: instead}, nil
				}
			}
			if rest[0] == 'Q' {
				t.owe(reply{kind: replyQuery, unsynced: t.unsynced}, now, timeout)
			} else {
				t.unsynced = true
			}
		case 'B', 'E':
			portal, need := nameHash(rest, headerLen, size)
			if need > 0 {
				return step{pass: pos, need: need}, nil
			}
			t.unsynced = true
			if rest[0] == 'B' {
				t.bound.add(portal)
				break
			}
			t.unflushed = true
			t.batch.executes++
			bound := t.bound.take(portal)
			if !bound {
				t.batch.has |= givesRows | changes
			}
			t.owe(reply{kind: replyExecute, portal: portal, bound: bound}, now, timeout)
		case 'S':
			if t.keepsSync(now, timeout) {
				return step{pass: pos, act: settle}, nil
			}
			t.unsynced, t.unflushed, t.skipping = false, false, false
			if !t.batch.kept {
				t.owe(reply{kind: replySync}, now, timeout)
			}
			t.batch.executes, t.batch.has, t.batch.kept = 0, 0, false
		case 'F':
			t.owe(reply{kind: replyFunction, unsynced: t.unsynced}, now, timeout)
		case 'c', 'f':
			if t.owed.n > 0 {
				t.owed.push(reply{kind: copyEnd})
			}
			if t.copyIn {
				t.copyIn = false
				t.rearm(now, timeout)
			}
		case 'D', 'C':
			t.unsynced = true
		case 'H':
			t.unflushed = false
		case 'd':
		case 'X':
			return step{pass: pos, act: terminate}, nil
		default:
			return step{pass: pos}, fatal(codeProtocolViolation, "invalid frontend message type %d", rest[0])
		}
		n := min(size, len(rest))
		t.frontPass = size - n
		pos += n
	}
	return step{pass: pos}, nil
}

// statementText is the text of a whole Query or Parse frame, without a copy:
// it must not be kept.
func statementText(frame []byte) string {
	body := frame[headerLen:]
	if frame[0] == 'P' {
		name, ok := cstring(body)
		if !ok {
			return ""
		}
		body = body[len(name)+1:]
	}
	text, _ := cstring(body)
	return unsafe.String(unsafe.SliceData(text), len(text))
}

// nameHash hashes the name of a portal or a statement at a place in a frame
// (FNV-1a). need is how many bytes of the frame must be there to know.
func nameHash(frame []byte, at, size int) (hash uint64, need int) {
	hash = 14695981039346656037
	end := min(size, at+maxName)
	for i := at; i < end; i++ {
		if i >= len(frame) {
			return 0, end
		}
		if frame[i] == 0 {
			return hash, 0
		}
		hash = (hash ^ uint64(frame[i])) * 1099511628211
	}
	return hash, 0
}

// nameSet is some names of portals or statements, by their hashes. Of more than
// fit the oldest is forgotten.
type nameSet struct {
	hashes [8]uint64
	n      int
}

func (s *nameSet) add(name uint64) {
	s.take(name)
	if s.n == len(s.hashes) {
		s.n = copy(s.hashes[:], s.hashes[1:])
	}
	s.hashes[s.n] = name
	s.n++
}

// take says whether name is one of them, and removes it.
func (s *nameSet) take(name uint64) bool {
	for i, h := range s.hashes[:s.n] {
		if h == name {
			copy(s.hashes[i:], s.hashes[i+1:s.n])
			s.n--
			return true
		}
	}
	return false
}
