package redis

import (
	"bytes"
	"errors"
)

const (
	// maxLongKey and maxLongKeys bound the keys, one and all together, of an MSET
	// whose values are too long to be held, since its keys lie between them.
	maxLongKey  = 64 << 10
	maxLongKeys = 16 << 20
)

// errLongKeys ends the session, as what came before them has been sent.
const errLongKeys = protocolError("an MSET over 1 MiB has keys over 16 MiB, or one over 64 KiB, of which the proxy has to hold all")

// longKeys are the keys of a long MSET, met on the way.
type longKeys struct {
	keys  [][]byte
	bytes int
	exec  bool // EXEC comes behind it all
}

// sendLongMset hands on an MSET that is too long to be held. It replaces all of
// its keys, so that none has an expiry afterwards, and no mark is needed before.
// Where there is max_keys all of them count as new; where that is too many they
// would have to be seen.
func (r *relay) sendLongMset(b []byte, q *request) error {
	t := &r.track
	if q.n%2 == 0 {
		return r.pass(q) // the server refuses it
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
	t.cut(b, q.start)
	t.out = append(t.out, h.before...)
	t.long = &longKeys{exec: len(h.behind) > 0}
	t.take(q)
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

// behind is what follows the MSET.
func (l *longKeys) behind(rules *rules) []byte {
	var ttls []int64
	for _, key := range l.keys {
		ttls = append(ttls, rules.ttl(key))
	}
	out := appendScript(nil, expireNew, l.keys, ttls)
	if l.exec {
		out = append(out, execCommand...)
	}
	return out
}
