package postgres

// stop is why the proxy itself ends the statement at hand. Set by enforce,
// cleared once no cancel request is on its way: by ReadyForQuery, or by the
// result of a statement that ended by itself when its time was up.
type stop uint8

const (
	running     stop = iota
	timedOut         // query_timeout_ms passed; the server's 57014 is put in our words
	tooManyRows      // max_rows_per_query passed; the client has been told, the rest is discarded
)

// change is how far a schema change that the journal told of has come.
type change uint8

const (
	unchanged change = iota
	pending          // not recorded since; cleared by Record at a commit point
	recorded         // recorded at a commit point; another result makes it pending again
)

// track is what the relay knows of a session: the replies owed, the
// transaction status, the rows of the statement at hand. Both directions
// change it, under the relay's lock and never across I/O.
type track struct {
	fixed   bool // the session may not change the schema
	raises  bool // what was put in a statement's place may raise a refusal of ours
	owed    owedQueue
	status  byte // of the last ReadyForQuery: 'I', 'T' or 'E'
	rows    int64
	copying bool // the backend takes what comes for copy data, up to its end
	copyIn  bool // of copying: the client has not sent the end
	copyOut bool
	binary  bool // of copyOut: the last CopyData is a trailer
	stop    stop

	// suspended has the rows so far of portals that stopped at an Execute's
	// row count, by the hash of their names. It is emptied when the
	// transaction, and with it every portal, ends.
	suspended map[uint64]int64
	// bound are the portals that Bind named and that were not executed since. One
	// that was forgotten may have the rows counted of an earlier portal of its name.
	bound nameSet

	changed  change
	settled  bool   // the relay did what the last verdict asked for; the frame may pass
	tag      string // the client is to see in the place of the next CommandComplete's
	last     byte   // type of the last backend frame
	defaults bool   // the session may have changed what new sessions start with
	lost     bool   // what is owed is not known exactly: never reuse this backend, nor wait for it
	obeyed   bool   // the statement that the proxy ends has ended

	unsynced bool // extended messages went without a Sync: a transaction may be open
	// unflushed says that the backend may keep the replies to Executes back,
	// since neither Sync nor Flush came behind them.
	unflushed bool
	skipping  bool // after an error the backend skips everything up to a Sync that was not sent yet

	batch batch

	frontPass int  // body bytes of a frontend frame still to pass unread
	backPass  int  // body bytes of a backend frame still to pass unread
	swallow   bool // of backPass: drop them instead

	deadline int64 // when the statement at hand must end, on the wheel's clock; 0: never
}

// verdict is what the relay does at the place where a scan stopped.
type verdict uint8

const (
	more       verdict = iota // read more: at least need bytes in all, or any where need is 0
	refuse                    // frontend: put one that raises why in place of this frame
	replace                   // frontend: put text in place of this frame's
	terminate                 // frontend: the client said goodbye
	settle                    // frontend: wait until what the batch's end may depend on is answered
	spoil                     // frontend: make the backend fail as the client was told it did
	full                      // frontend: wait until fewer replies are owed
	record                    // backend: record the schema change before this frame passes
	swallowed                 // backend: drop size bytes
	limitRows                 // backend: say that the row limit is reached, then drop size bytes
	rewrite                   // backend: say that the timeout is reached, then drop size bytes
	bare                      // backend: send what this error says and not where it was raised, then drop size bytes
	retag                     // backend: send a CommandComplete with tag text, then drop size bytes
	renew                     // backend: new sessions start differently now, let no warm one stand in for them
	awaitReady                // backend: let cancel requests arrive before this end of a statement passes
)

// step is the result of a scan: pass bytes go on as they are, then act is due.
type step struct {
	pass int
	act  verdict
	size int    // of the frame that act is about
	need int    // for more
	why  string // for refuse
	text string // for replace and retag
}

// idle says whether the session is between statements, at a frame's edge in
// both directions.
func (t *track) idle() bool {
	return t.owed.n == 0 && t.frontPass == 0 && t.backPass == 0 && !t.copyIn && !t.copyOut
}

// reusable says whether the backend's state is known well enough to reset it.
func (t *track) reusable() bool {
	return t.idle() && !t.lost && !t.unsynced && t.stop == running
}

// finishes says whether what is owed comes without another word from the
// client. It does not within a frame or a copy.
func (t *track) finishes() bool { return t.frontPass == 0 && !t.copyIn && !t.lost }
