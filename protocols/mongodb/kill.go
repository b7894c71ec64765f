package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// What ends a command on the server that did not heed its maxTimeMS:
//
// The backend's connection is closed. Since 4.2 the server then marks reads for
// termination: find, getMore, count, distinct, aggregate without $out, listings
// (https://jira.mongodb.org/browse/DOCS-12468, and the manual's page of each).
// Writes and index builds go on.
//
// Where the command came in a session, that session is killed, which "kills any
// in-progress operations in the session and closes any open cursors associated
// with these operations"; it may be used again
// (https://www.mongodb.com/docs/manual/reference/command/killSessions/). A
// session is known by its id together with the user who began it, so it has to
// be the workspace's role who kills it, and nobody else's can be.

// sessionID is the id of a logical session; the server has no other kind.
type sessionID [16]byte

// session is the id of the session that q is sent in, if it is in one.
func (q *request) session() (id sessionID, ok bool) {
	if q.lsid.kind != typeDocument {
		return id, false
	}
	e, err := lookup(q.lsid.value, "id")
	if err != nil || e.kind != typeBinary {
		return id, false
	}
	subtype, data, _, ok := bsoncore.ReadBinary(e.value)
	if !ok || subtype != 4 || len(data) != len(id) {
		return id, false
	}
	copy(id[:], data)
	return id, true
}

// killSession ends on the server what runs in the session of a late request. The
// client does not hear of the end of its command before: it may send its next
// one in the same session.
func (r *relay) killSession(x *exchange) {
	if v, seen := r.protocol.topology.view(); !x.inSession || !seen || v.SessionMinutes == 0 {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), askTimeout)
	defer done()
	if err := r.ensureBackend(); err != nil {
		r.log.Warn("late command not killed", "workspace", r.live.Name, "error", err)
		return
	}
	release := r.back.until(ctx)
	defer release()
	kill := bsoncore.NewDocumentBuilder().AppendArray("killSessions", bsoncore.NewArrayBuilder().
		AppendDocument(bsoncore.NewDocumentBuilder().AppendBinary("id", 4, x.session[:]).Build()).Build()).Build()
	_, err := r.back.run(r.protocol.nextRequest(), r.route.Database, kill)
	refused, isRefused := errors.AsType[*serverError](err)
	if err == nil || isRefused && refused.code == codeCommandNotFound {
		return // FerretDB lets clients have sessions, and has none
	}
	r.log.Warn("late command not killed", "workspace", r.live.Name, "error", err)
	if !isRefused {
		r.dropBackend()
	}
}
