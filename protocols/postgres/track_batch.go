package postgres

import (
	"bytes"
	"time"
)

// batch is what the client sent since its last Sync, as far as the row limit
// needs it. The limit's error is ours: the server knows nothing of it, and where
// the statement has ended by itself, it would run what stands behind, and commit
// it. So in a batch that has rows and changes, the end of the transaction waits
// for the results, and the batch of which an error was told is spoilt. Batches of
// either alone are not held up: they have nothing to stop at, or to take back.
type batch struct {
	executes int
	has      effect
	limited  bool // there is a row limit
	kept     bool // its Sync is owed, but was not sent yet
	feigned  bool // the client was told of an error that the server did not raise
	spoilt   bool // the server fails at the latest before what the client sends next

	// effects are those of prepared statements, by the hash of their names. One
	// that was forgotten may have any, but is not waited before.
	effects map[uint64]effect
}

// maxEffects bounds the statements whose effects are known; drivers keep some
// hundreds prepared.
const maxEffects = 1024

func (b *batch) prepare(name uint64, e effect) {
	if b.effects == nil {
		b.effects = make(map[uint64]effect, 1)
	}
	if len(b.effects) == maxEffects {
		clear(b.effects)
	}
	b.effects[name] = e
}

func (b *batch) bind(name uint64) effect {
	e, known := b.effects[name]
	if !known {
		e = givesRows | changes
	}
	b.has |= e
	return e
}

// waitsFor says whether a frame other than Sync has to wait for the results of
// the batch. need is how many bytes of it must be there to know.
func (t *track) waitsFor(frame []byte, size int) (need int, wait bool) {
	b := &t.batch
	if !b.limited {
		clear(b.effects) // would be out of date where there is a limit again
		return 0, false
	}
	switch frame[0] {
	case 'P':
		if need = min(size, maxRead); len(frame) < need {
			return need, false
		}
		name, _ := nameHash(frame, headerLen, size)
		b.prepare(name, effectOf(frame[:need]))
	case 'B':
		name, need := boundStatement(frame, size)
		if need > 0 {
			return need, false
		}
		rows := b.has&givesRows != 0
		return 0, b.bind(name)&ends != 0 && rows && b.executes > 0 && t.unsettled()
	case 'Q', 'F':
		return 0, t.unsynced && b.executes > 0 && t.unsettled()
	}
	return 0, false
}

const (
	// maxRead is how much of a Parse is looked at for what its statement does.
	maxRead = 4096
	// maxHead is how much of a Bind is looked at for its names.
	maxHead = headerLen + 2*maxName + 2
)

// boundStatement is the hash of the statement that a Bind names.
func boundStatement(frame []byte, size int) (name uint64, need int) {
	if need = min(size, maxHead); len(frame) < need {
		return 0, need
	}
	portal, _, found := bytes.Cut(frame[headerLen:need], []byte{0})
	if !found {
		return 0, 0
	}
	name, _ = nameHash(frame[:need], headerLen+len(portal)+1, need)
	return name, 0
}

// keepsSync says that the Sync at hand has to wait, and owes its reply already:
// what the results before it make void ends there.
func (t *track) keepsSync(now int64, timeout time.Duration) bool {
	if t.batch.kept || t.batch.executes < 2 || t.batch.has&givesRows == 0 || t.batch.has&changes == 0 || !t.unsettled() {
		return false
	}
	t.owe(reply{kind: replySync}, now, timeout)
	t.batch.kept = true
	return true
}

// unsettled says that results of the batch are to come which the row limit may
// end. A copy that waits for the client ends the waiting: its Sync may stand
// before its data.
func (t *track) unsettled() bool {
	answered := 0
	if t.batch.kept {
		answered = 1
	}
	return t.batch.limited && t.owed.n > answered && !t.skipping && !t.copyIn && !t.lost
}

// toSpoil says that the server is to fail before it reads on. A batch whose Sync
// was sent is out of reach.
func (t *track) toSpoil() bool {
	return t.batch.feigned && (t.batch.kept || !t.owed.synced())
}
