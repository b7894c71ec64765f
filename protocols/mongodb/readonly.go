package mongodb

// readOnly refuses what may write, for a login that may only read. Where the
// server has users its own role does so too; where it has none this is all that
// does, so that a command is refused unless it is known to read.
func readOnly(q *request, c *command) *failure {
	if !c.reads {
		return mayOnlyRead(q)
	}
	switch string(q.name) {
	case "aggregate":
		return onlyReads(q, q.body)
	case "explain":
		return asFailure(everyNamed(q.body, "explain", func(e element) error {
			if e.kind != typeDocument {
				return nil // the server refuses it
			}
			inner := request{message: message{body: e.value}}
			if err := inner.read(); err != nil {
				return err
			}
			switch string(inner.name) {
			case "find", "count", "distinct":
				return nil
			case "aggregate":
				return errOrNil(onlyReads(q, e.value))
			}
			return mayOnlyRead(q)
		}))
	}
	return nil
}

// onlyReads refuses an aggregate whose pipeline writes, wherever in it that is.
func onlyReads(q *request, aggregate []byte) *failure {
	return asFailure(everyNamed(aggregate, "pipeline", func(pipeline element) error {
		if !pipeline.nested() {
			return nil // the server refuses it
		}
		return every(pipeline.value, 1, func(e element) error {
			if s := string(e.key); s == "$out" || s == "$merge" {
				return mayOnlyRead(q)
			}
			return nil
		})
	}))
}

func mayOnlyRead(q *request) *failure {
	return unauthorized("not authorized on %s to execute command %s: this login may only read", printable(q.database), printable(q.name))
}
