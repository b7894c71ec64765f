package mysql

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
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

// kill ends the statement or the session of another connection for a client that
// has chosen no database, as the mysql program does when it is interrupted: of any
// workspace that it may choose.
func (l *lobby) kill(ctx context.Context, k kill) error {
	r := l.protocol.sessions.find(uint32(min(k.id, 1<<32-1)))
	if r == nil {
		return l.say(noThread(k.id))
	}
	login, err := l.protocol.config.Directory.Login(ctx, workspace.MySQL, l.user, r.route.Database)
	if err != nil {
		return errors.Join(l.refuse(noLogins()), err)
	}
	if !login.Known || !login.Route.SameLogin(r.route) {
		return l.say(noThread(k.id))
	}
	target := l.protocol.sessions.target(k.id, r.live.ID)
	if target == nil {
		return l.say(noThread(k.id))
	}
	defer target.kills.Done()
	if err := l.protocol.kill(r.poolKey, r.route, k.before+strconv.FormatUint(uint64(target.id), 10)+k.after); err != nil {
		return l.say(errandFailure(err))
	}
	return l.ok()
}

func noThread(id uint64) *failure {
	return failf(mysql.ER_NO_SUCH_THREAD, stateGeneral, "Unknown thread id: %d", id)
}
