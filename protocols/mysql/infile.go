package mysql

import (
	"bytes"

	"github.com/go-mysql-org/go-mysql/mysql"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// A server that asks for a file gets whichever it names, so that one which was
// taken over could read its clients' disks
// (https://dev.mysql.com/doc/refman/en/load-data-local-security.html). Clients
// that read files are to be asked for those only that a statement of theirs
// loads.

// mayLoad says whether a text may be a LOAD DATA or LOAD XML of a client's file,
// or run one that it does not show: MariaDB prepares them. whole is false where
// only the text's beginning is known.
func mayLoad(text []byte, whole bool) bool {
	if !whole {
		return true
	}
	if first := bytes.TrimLeft(text, " \t\r\n"); len(first) >= len("SELECT") && bytes.IndexByte(first, ';') < 0 {
		switch word := first[:len("SELECT")]; {
		case bytes.EqualFold(word, []byte("SELECT")), bytes.EqualFold(word, []byte("INSERT")), bytes.EqualFold(word, []byte("UPDATE")), bytes.EqualFold(word, []byte("DELETE")):
			return false
		}
	}
	return window.ContainsFold(text, "INFILE") || window.ContainsFold(text, "EXECUTE") || window.ContainsFold(text, "CALL")
}

// refusesFile is what is due of a request for a file that the client must not
// see: because it reads none, loads none by the statement at hand, or has been
// told that the statement failed. more is for one that passes.
func (t *track) refusesFile() verdict {
	if t.told {
		return withoutFile
	}
	if t.mayLoad && t.capabilities.has(mysql.CLIENT_LOCAL_FILES) {
		return more
	}
	t.told = true
	return refuseFile
}

// sendNoFile answers the server's request for a file, which s is about, as a
// client does whose file is empty: the server waits for that. Of what it says
// then the client hears nothing.
func (r *relay) sendNoFile(s step) error {
	if r.receiving() {
		return errMalformed // it asks within a command
	}
	if err := r.writeBackend(appendPacket(nil, s.sequence+1, nil)); err != nil {
		return err
	}
	if s.act == refuseFile {
		return r.replace(noFile(), s)
	}
	r.drop(s.size)
	return nil
}

// receiving says whether a part of the client's command is still to come.
func (r *relay) receiving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.track.frontPass > 0 || r.track.frontMore
}

func noFile() *failure {
	return failf(mysql.ER_NOT_ALLOWED_COMMAND, stateSyntaxOrRight, "The server asked for a file of the client's, which it is not to have: the client does not allow it, or the statement loads none")
}
