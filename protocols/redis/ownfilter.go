package redis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// clientFilter is which sessions a CLIENT LIST or CLIENT KILL is about; the zero
// value is about all.
type clientFilter struct {
	ids         []int64
	addr, laddr string
	user        string
	kind        string // "normal", "pubsub", or one that no session is of
	minAge      int64  // seconds
	others      bool   // not the own session
}

// has says whether the session is among them.
func (f *clientFilter) has(s ownSession) bool {
	kind := "normal"
	if s.pubsub {
		kind = "pubsub"
	}
	differs := func(wanted, has string) bool { return wanted != "" && wanted != has }
	return !f.others && (f.ids == nil || slices.Contains(f.ids, s.id)) && s.age >= f.minAge &&
		!differs(f.addr, s.addr) && !differs(f.laddr, s.laddr) && !differs(f.user, s.user) && !differs(f.kind, kind)
}

// clientKinds are Redis's words for what a connection is for.
var clientKinds = [...]string{"normal", "slave", "replica", "pubsub", "master"}

// setKind reads a TYPE; bad is what is wrong with it.
func (f *clientFilter) setKind(arg []byte) (bad string) {
	f.kind = strings.ToLower(string(arg))
	if !slices.Contains(clientKinds[:], f.kind) {
		return fmt.Sprintf("ERR Unknown client type '%.40s'", printableText(string(arg)))
	}
	return ""
}

// parseClientList reads CLIENT LIST [TYPE kind | ID id …]; bad is what is wrong
// with it, in Redis's words.
func parseClientList(args [][]byte) (f clientFilter, bad string) {
	switch {
	case len(args) == 2:
		return f, ""
	case len(args) == 4 && is(args[2], "type"):
		return f, f.setKind(args[3])
	case len(args) < 4 || !is(args[2], "id"):
		return f, errSyntax
	}
	for _, arg := range args[3:] {
		id, err := strconv.ParseInt(string(arg), 10, 64)
		if err != nil {
			return f, "ERR Invalid client ID"
		}
		f.ids = append(f.ids, id)
	}
	return f, ""
}

// parseClientKill reads CLIENT KILL addr, or CLIENT KILL with options, which
// leave the own session out unless they say otherwise. user is the only one that
// there is.
func parseClientKill(args [][]byte, user string) (f clientFilter, bad string) {
	if len(args) == 3 {
		f.addr = string(args[2])
		return f, ""
	}
	f.others = true
	for i := 2; i < len(args); i += 2 {
		if i+1 == len(args) {
			return f, errSyntax
		}
		if bad := f.setOption(args[i], args[i+1], user); bad != "" {
			return f, bad
		}
	}
	return f, ""
}

// setOption reads one option of CLIENT KILL.
func (f *clientFilter) setOption(name, value []byte, user string) (bad string) {
	switch {
	case is(name, "id"):
		id, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || id < 1 {
			return "ERR client-id should be greater than 0"
		}
		f.ids = []int64{id}
	case is(name, "type"):
		return f.setKind(value)
	case is(name, "addr"):
		f.addr = string(value)
	case is(name, "laddr"):
		f.laddr = string(value)
	case is(name, "user"):
		if f.user = string(value); f.user != user {
			return fmt.Sprintf("ERR No such user '%.40s'", printableText(f.user))
		}
	case is(name, "maxage"):
		age, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || age < 1 {
			return "ERR maxage is not an integer or out of range"
		}
		f.minAge = age
	case is(name, "skipme") && is(value, "yes"):
		f.others = true
	case is(name, "skipme") && is(value, "no"):
		f.others = false
	default:
		return errSyntax
	}
	return ""
}
