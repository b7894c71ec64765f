package redis

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/tidwall/redcon"
)

const (
	// maxLongKey and maxLongKeys bound the keys, one and all together, of an MSET
	// or MSETNX whose values are too long to be held, since its keys lie between them.
	maxLongKey  = 64 << 10
	maxLongKeys = 16 << 20
)

// errLongKeys ends the session, as what came before them has been sent.
const errLongKeys = protocolError("an MSET or MSETNX over 1 MiB has keys over 16 MiB, or one over 64 KiB, of which the proxy has to hold all")

// longKeys are the keys of a long MSET, met on the way.
type longKeys struct {
	keys  [][]byte
	bytes int
	exec  bool   // EXEC comes behind it all
	sign  string // of an MSETNX; of an MSET nothing
}

// An MSETNX makes all of its keys or none, and which of both only its reply
// tells, which comes too late. So it gets one key more, the sign, which nobody
// else has: after it the sign is there if all are, and a script in the same
// transaction takes it away again. What is notified of it nobody hears.

// signPrefix begins every sign.
const signPrefix = "\x00tenantsdb:msetnx:"

// newSign is a name that no client guesses.
func newSign() string { return signPrefix + rand.Text() }

// isSign says whether key is one that newSign may have made, in this process or
// another one.
func isSign[K string | []byte](key K) bool {
	return len(key) == signLength && strings.HasPrefix(string(key), signPrefix)
}

var signLength = len(newSign())

// sendLongMset hands on an MSET, or with nx an MSETNX, that is too long to be
// held. Keys that it wrote have no expiry afterwards, so that no mark is needed
// before. Where there is max_keys all of them count as new; where that is too
// many they would have to be seen.
func (r *relay) sendLongMset(b []byte, q *request, nx bool) error {
	t := &r.track
	if q.n%2 == 0 {
		return r.pass(q) // the server refuses it
	}
	if nx && t.rules.expires() && t.watching && !t.multi {
		// Without a transaction of its own others could see the sign, or keep it.
		t.refuse(b, q, errTooLong)
		return nil
	}
	var held *claim
	if t.rules.maxKeys > 0 {
		c, err := r.claimUnseen(b, q, int64(q.n/2))
		if err != nil || c == nil {
			return err
		}
		held = c
	}
	if !t.rules.expires() {
		r.owe(&hidden{}, held, false)
		t.take(q)
		return nil
	}
	h := hidden{before: appendScript(nil, markOld, nil, nil)}
	r.owe(&h, held, true)
	t.long = &longKeys{exec: len(h.behind) > 0}
	if !nx {
		t.cut(b, q.start)
		t.out = append(t.out, h.before...)
		t.take(q)
		return nil
	}
	t.long.sign = newSign()
	t.instead(b, q, redcon.AppendBulkString(redcon.AppendArray(h.before, q.n+2), "MSETNX")...)
	return nil
}

// claimUnseen claims n new keys; nil where the command was refused.
func (r *relay) claimUnseen(b []byte, q *request, n int64) (*claim, error) {
	t := &r.track
	if t.multi {
		t.refuse(b, q, errTooLong)
		return nil, nil
	}
	held, err := r.claim(b, q, nil, 0, n, false)
	if err == nil {
		return held, nil
	}
	if errors.Is(err, errFull) {
		t.refuse(b, q, errTooLong)
		return nil, nil
	}
	return nil, r.refuseKeys(b, q, err)
}

// note adds a key.
func (l *longKeys) note(key []byte) error {
	if l.bytes += len(key); l.bytes > maxLongKeys {
		return errLongKeys
	}
	l.keys = append(l.keys, bytes.Clone(key))
	return nil
}

// behind is what follows the client's arguments.
func (l *longKeys) behind(rules *rules) []byte {
	var ttls []int64
	for _, key := range l.keys {
		ttls = append(ttls, rules.ttl(key))
	}
	var out []byte
	if l.sign == "" {
		out = appendScript(nil, expireNew, l.keys, ttls)
	} else {
		out = redcon.AppendBulkString(redcon.AppendBulkString(nil, l.sign), "")
		out = appendScript(out, expireSigned, append(l.keys, []byte(l.sign)), ttls)
	}
	if l.exec {
		out = append(out, execCommand...)
	}
	return out
}
