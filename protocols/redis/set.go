package redis

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"github.com/tidwall/redcon"
)

// decideSet gives a SET without an expiry one of its own, which needs no hidden
// commands.
func (r *relay) decideSet(b []byte, q *request, c *command) (need int, err error) {
	t := &r.track
	if t.rules == nil || q.n < 3 {
		return 0, r.pass(q)
	}
	if need, err := r.look(b, q, 2); err != nil {
		return need, err
	}
	if q.n > 3 {
		need, err := r.look(b, q, -1)
		if errors.Is(err, errShort) && need > maxHeld {
			return 0, r.sendLongSet(b, q)
		}
		if err != nil {
			return need, err
		}
	}
	exists := slices.ContainsFunc(q.args[min(3, len(q.args)):], func(arg []byte) bool { return is(arg, "xx") })
	held, ok, err := r.admit(b, q, &command{name: c.name, creates: createsFirst, updates: exists}, q.args[1:2])
	if err != nil || !ok {
		return 0, err
	}
	if t.multi {
		t.tx.element(false)
	}
	t.owe(reply{kind: passed, claim: held})
	if ttl := t.rules.ttl(q.args[1]); ttl > 0 && !givesExpiry(q.args[min(3, len(q.args)):]) {
		t.cut(b, q.start)
		t.out = redcon.AppendArray(t.out, q.n+2)
		t.from = q.start + q.head
		t.suffix = redcon.AppendBulkString(t.suffix, "EX")
		t.suffix = redcon.AppendBulkString(t.suffix, strconv.FormatInt(ttl, 10))
	}
	t.take(q)
	return 0, nil
}

// sendLongSet hands on a SET whose options come behind a value too long to be
// held. Hidden commands do right by all of them but KEEPTTL on a new key, which
// is met on the way: behind it come hidden commands that give no expiry.
func (r *relay) sendLongSet(b []byte, q *request) error {
	t := &r.track
	row, keys := &command{name: "set", creates: createsFirst}, q.args[1:2]
	if err := r.send(b, q, row, keys); err != nil || len(t.suffix) == 0 {
		return err
	}
	t.options = q.n - 3
	t.ifKept = hiddenFor(keys, []int64{0}).behind
	if bytes.HasSuffix(t.suffix, execCommand) {
		t.ifKept = append(t.ifKept, execCommand...)
	}
	return nil
}

// givesExpiry says whether the options of SET or MSETEX have a word about the
// expiry.
func givesExpiry(options [][]byte) bool {
	for _, option := range options {
		for _, word := range []string{"ex", "px", "exat", "pxat", "keepttl"} {
			if is(option, word) {
				return true
			}
		}
	}
	return false
}
