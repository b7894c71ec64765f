package mysql

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// kill is a KILL statement around its connection's number.
type kill struct {
	before, after string
	id            uint64
}

// queryPeek is as much of a COM_QUERY as tells whether it may be a KILL: the
// two bytes of no query attributes, and what may stand before the word.
const queryPeek = 2 + 1

// mayBeKill says whether a text may begin with KILL, by its first byte.
func mayBeKill(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	switch text[0] {
	case 'k', 'K', ' ', '\t', '\r', '\n', '/', '#', '-':
		return true
	}
	return false
}

// parseKill reads KILL [HARD | SOFT] [CONNECTION | QUERY] number, the way
// clients cancel. Anything else is the server's to understand.
func parseKill(text []byte) (k kill, ok bool) {
	end := len(bytes.TrimRight(text, " \t\r\n;"))
	digits := end
	for digits > 0 && text[digits-1] >= '0' && text[digits-1] <= '9' {
		digits--
	}
	id, err := strconv.ParseUint(string(text[digits:end]), 10, 64)
	if err != nil {
		return kill{}, false
	}
	words := strings.Fields(strings.ToUpper(string(uncomment(text[:digits]))))
	if len(words) == 0 || words[0] != "KILL" {
		return kill{}, false
	}
	words = words[1:]
	if len(words) > 0 && (words[0] == "HARD" || words[0] == "SOFT") {
		words = words[1:]
	}
	if len(words) > 0 && (words[0] == "CONNECTION" || words[0] == "QUERY") {
		words = words[1:]
	}
	if len(words) > 0 || digits == 0 || !isBlank(text[digits-1]) {
		return kill{}, false
	}
	return kill{before: string(text[:digits]), after: string(text[end:]), id: id}, true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '/' }

// uncomment takes a comment off the front of text.
func uncomment(text []byte) []byte {
	text = bytes.TrimLeft(text, " \t\r\n")
	if bytes.HasPrefix(text, []byte("/*")) && !bytes.HasPrefix(text, []byte("/*!")) && !bytes.HasPrefix(text, []byte("/*M!")) {
		if _, behind, found := bytes.Cut(text, []byte("*/")); found {
			return behind
		}
	}
	return text
}

// mapKill puts the server's number of a session of the same workspace in the
// place of ours and sends the statement. What is not ours the server judges: a
// role may end its own connections only.
func (r *relay) mapKill(k kill) error {
	id := k.id
	target := r.protocol.sessions.target(k.id, r.live.ID)
	if target != nil {
		id = uint64(target.id)
	}
	r.mu.Lock()
	r.track.killing = target
	r.track.owe(mysql.COM_QUERY)
	r.arm()
	r.mu.Unlock()
	text := k.before + strconv.FormatUint(id, 10) + k.after
	return r.writeBackend(r.back.appendQuery(nil, text))
}
