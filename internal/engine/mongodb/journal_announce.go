package mongodb

import (
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	maxAnnounced      = 64        // commands of one database
	maxAnnouncedBytes = 256 << 10 // of one command; a longer one is recorded in the server's words
)

// announcement is a command that a client was about to send.
type announcement struct {
	serial  int64
	command bson.D
	source  string
	unit    string // that its changes are of; empty: one of their own
}

// announcements are those of one database that have not shown in its schema.
type announcements struct {
	mu     sync.Mutex
	serial int64
	all    []announcement
}

// Announce keeps a command, in Extended JSON, until Changes finds what it did.
// Which connection it is sent on does not matter.
func (e *Engine) Announce(t workspace.Target, _ uint32, statement string) {
	if len(statement) > maxAnnouncedBytes {
		return
	}
	command, err := ddltrack.ParseMongoCommand(statement)
	if err != nil {
		return
	}
	e.database(t.Database).announced.add(announcement{command: command, source: sourceProxy})
}

// add numbers an announcement and keeps it.
func (a *announcements) add(x announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	x.serial = a.serial
	a.all = last(append(a.all, x), maxAnnounced)
}

// list are the commands, oldest first.
func (a *announcements) list() []announcement {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

func (a *announcements) remove(used []announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = slices.DeleteFunc(a.all, func(x announcement) bool {
		return slices.ContainsFunc(used, func(u announcement) bool { return u.serial == x.serial })
	})
}
