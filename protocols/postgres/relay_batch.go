package postgres

import (
	"github.com/jackc/pgproto3/v2"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// settle waits until the results are there that the batch's end depends on, or
// the relay ends.
func (r *relay) settle() error {
	if err := r.writeBackend(flushMessage); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.life.Await(r.track.unsettled) {
		return window.ErrGoodbye
	}
	return nil
}

// spoiler fails on every server, and changes nothing but the transaction. A COPY
// that waits for the client is ended by the first message, which is ignored
// otherwise; else the second names a statement that does not exist, in words that
// say in the server's log what happened.
var spoiler = encode(encode(nil,
	&pgproto3.CopyFail{Message: rowsBefore}),
	&pgproto3.Bind{PreparedStatement: rowsBefore})

const rowsBefore = "tenantsdb: max_rows_per_query was reached"

// spoil makes the server fail as the client was told it did, so that it skips
// what the client sends up to its Sync, and undoes the transaction. Its error is
// among the replies that are dropped.
func (r *relay) spoil() error {
	r.mu.Lock()
	r.track.batch.feigned, r.track.batch.spoilt = false, true
	r.mu.Unlock()
	return r.writeBackend(spoiler)
}
