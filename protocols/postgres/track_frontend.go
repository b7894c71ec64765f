package postgres

import (
	"time"
	"unsafe"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// maxPortalName is how much of a portal's name tells it from others.
const maxPortalName = 64

// maxStatement is the longest statement text that is held for inspection.
const maxStatement = 1 << 20

// scanFrontend goes over what the client sent. tracked says that statements
// which change the schema unjournaled are to be refused; now is the wheel's
// clock and timeout the workspace's limit.
func (t *track) scanFrontend(b []byte, tracked bool, now int64, timeout time.Duration) (step, error) {
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
		rest := b[pos:]
		if len(rest) < headerLen {
			return step{pass: pos, need: headerLen}, nil
		}
		size, err := frameSize(rest)
		if err != nil {
			return step{pass: pos}, err
		}
		switch rest[0] {
		case 'Q', 'P':
			if tracked && size <= maxStatement {
				if len(rest) < size {
					return step{pass: pos, need: size}, nil
				}
				switch unseen, found := ddltrack.Unjournaled(statementText(rest[:size])); {
				case found && unseen.Instead != "":
					return step{pass: pos, act: replace, size: size, text: unseen.Instead}, nil
				case found:
					return step{pass: pos, act: refuse, size: size, why: unseen.Refusal}, nil
				}
			}
			if rest[0] == 'Q' {
				t.owe(reply{kind: replyQuery, unsynced: t.unsynced}, now, timeout)
			} else {
				t.unsynced = true
			}
		case 'B', 'E':
			portal, need := portalHash(rest, size)
			if need > 0 {
				return step{pass: pos, need: need}, nil
			}
			t.unsynced = true
			if rest[0] == 'B' {
				t.bound.add(portal)
				break
			}
			t.unflushed = true
			t.owe(reply{kind: replyExecute, portal: portal, bound: t.bound.take(portal)}, now, timeout)
		case 'S':
			t.unsynced, t.unflushed, t.skipping = false, false, false
			t.owe(reply{kind: replySync}, now, timeout)
		case 'F':
			t.owe(reply{kind: replyFunction, unsynced: t.unsynced}, now, timeout)
		case 'c', 'f':
			if t.owed.n > 0 {
				t.owed.push(reply{kind: copyEnd})
			}
			t.copyIn = false
			t.rearm(now, timeout)
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

// portalHash hashes the portal name at the head of a Bind or Execute (FNV-1a).
// need is how many bytes of the frame must be there to know.
func portalHash(frame []byte, size int) (hash uint64, need int) {
	hash = 14695981039346656037
	end := min(size, headerLen+maxPortalName)
	for i := headerLen; i < end; i++ {
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

// boundPortals are the portals that Bind named and that were not executed since,
// by the hash of their names. Of more than fit the oldest is forgotten, and may
// have the rows counted of an earlier portal of its name.
type boundPortals struct {
	hashes [8]uint64
	n      int
}

func (b *boundPortals) add(portal uint64) {
	b.take(portal)
	if b.n == len(b.hashes) {
		b.n = copy(b.hashes[:], b.hashes[1:])
	}
	b.hashes[b.n] = portal
	b.n++
}

// take says whether portal is one of them, and removes it.
func (b *boundPortals) take(portal uint64) bool {
	for i, h := range b.hashes[:b.n] {
		if h == portal {
			copy(b.hashes[i:], b.hashes[i+1:b.n])
			b.n--
			return true
		}
	}
	return false
}
