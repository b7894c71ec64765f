package postgres

import (
	"bytes"
	"time"
)

// batch is what the client sent since its last Sync, as far as the row limit
// needs it. The limit's error is ours: the server knows nothing of it, and where
// the statement has ended by itself, it would run what stands behind, and commit
// it. So what ends the transaction in a batch with something behind an Execute
// waits for the results, and the batch of which an error was told is spoilt.
type batch struct {
	executes int
	limited  bool // there is a row limit
	kept     bool // its Sync is owed, but was not sent yet
	feigned  bool // the client was told of an error that the server did not raise
	spoilt   bool // the server fails at the latest before what the client sends next

	// endings are the statements, prepared at any time, that may end a transaction.
	// One that was forgotten is not waited before.
	endings nameSet
}

// waitsFor says whether a frame other than Sync has to wait for the results of
// the batch. need is how many bytes of it must be there to know.
func (t *track) waitsFor(frame []byte, size int) (need int, wait bool) {
	b := &t.batch
	switch frame[0] {
	case 'P':
		name, ends, need := endsTransaction(frame, size)
		if need > 0 {
			return need, false
		}
		b.endings.take(name)
		if ends {
			b.endings.add(name)
		}
	case 'B':
		if b.executes == 0 || b.endings.n == 0 || !t.unsettled() {
			return 0, false
		}
		name, need := boundStatement(frame, size)
		return need, need == 0 && b.endings.has(name)
	case 'Q', 'F':
		return 0, t.unsynced && b.executes > 0 && t.unsettled()
	}
	return 0, false
}

const (
	// maxHead is how much of a frame is looked at for its names and first word.
	maxHead = headerLen + 2*maxName + 32
	// longestEnding is the longest of the words that endsTransaction knows.
	longestEnding = len("rollback")
)

// endsTransaction says whether a Parse is of a statement that may commit, or
// undo a part of what an error would have kept. One behind a comment is not known.
func endsTransaction(frame []byte, size int) (name uint64, ends bool, need int) {
	if need = min(size, maxHead); len(frame) < need {
		return 0, false, need
	}
	head := frame[headerLen:need]
	name, _ = nameHash(frame[:need], headerLen, need)
	_, text, found := bytes.Cut(head, []byte{0})
	if !found {
		return name, false, 0
	}
	text = bytes.TrimLeft(text, " \t\r\n\f")
	n := 0
	for n < len(text) && n <= longestEnding && 'a' <= text[n]|0x20 && text[n]|0x20 <= 'z' {
		n++
	}
	var word [longestEnding]byte
	if n > len(word) {
		return name, false, 0
	}
	for i, c := range text[:n] {
		word[i] = c | 0x20
	}
	switch string(word[:n]) {
	case "commit", "end", "rollback", "abort", "prepare", "release", "call", "do":
		return name, true, 0
	}
	return name, false, 0
}

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
	if t.batch.kept || t.batch.executes < 2 || !t.unsettled() {
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
