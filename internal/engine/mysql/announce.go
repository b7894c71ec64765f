package mysql

import (
	"slices"
	"strings"
	"sync"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

const (
	// What is kept of what clients announced; the oldest goes first.
	maxAnnounced         = 32 << 20
	maxAnnouncedSessions = 4096
	maxAnnouncedTexts    = 64 // of one session

	// maxHead is how much of a statement's beginning the server may write in
	// its own words.
	maxHead = 512
)

// announcements are the texts that sessions are about to send or have sent, and
// that the binary log has not shown yet.
type announcements struct {
	mu       sync.Mutex
	sessions map[sessionKey]*announcedSession
	order    []sessionKey // by when each was first heard of
	bytes    int
}

type sessionKey struct {
	database string
	thread   uint32
}

type announcedSession struct {
	source string
	texts  []announcedText
}

// announcedText is one message of a client, and how many of its statements have
// been found in the log.
type announcedText struct {
	text string
	done int
}

func newAnnouncements() *announcements {
	return &announcements{sessions: map[sessionKey]*announcedSession{}}
}

// add keeps a text of a session.
func (a *announcements) add(database string, thread uint32, text, source string) {
	if len(text) > maxAnnounced/4 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key := sessionKey{database, thread}
	s := a.sessions[key]
	if s == nil {
		s = &announcedSession{}
		a.sessions[key] = s
		a.order = append(a.order, key)
	}
	s.source = source
	s.texts = append(s.texts, announcedText{text: text})
	a.bytes += len(text)
	for len(s.texts) > maxAnnouncedTexts {
		a.bytes -= len(s.texts[0].text)
		s.texts = slices.Delete(s.texts, 0, 1)
	}
	for a.bytes > maxAnnounced || len(a.sessions) > maxAnnouncedSessions {
		a.remove(a.order[0])
	}
}

// remove needs the lock.
func (a *announcements) remove(key sessionKey) {
	if s := a.sessions[key]; s != nil {
		for _, t := range s.texts {
			a.bytes -= len(t.text)
		}
	}
	delete(a.sessions, key)
	a.order = slices.DeleteFunc(a.order, func(k sessionKey) bool { return k == key })
}

// forget drops what sessions of a database announced.
func (a *announcements) forget(database string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key := range a.sessions {
		if key.database == database {
			a.remove(key)
		}
	}
}

// logged is a statement as the log has it.
type logged struct {
	database    string
	thread      uint32
	text        string
	description ddltrack.MySQLDescription
}

// words are the client's own for a logged statement, and the way it was sent;
// found is false where it was not announced. What the session announced before
// is over and forgotten.
func (a *announcements) words(l logged, mode ddltrack.MySQLMode) (text, source string, found bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := sessionKey{l.database, l.thread}
	s := a.sessions[key]
	if s == nil {
		return "", "", false
	}
	for i, announced := range s.texts {
		statements := ddltrack.SplitMySQL(announced.text, mode)
		for n := announced.done; n < len(statements); n++ {
			if !l.isOf(statements[n]) {
				continue
			}
			for _, over := range s.texts[:i] {
				a.bytes -= len(over.text)
			}
			s.texts = s.texts[i:]
			s.texts[0].done = n + 1
			return statements[n].Text, s.source, true
		}
	}
	return "", s.source, false
}

// isOf says whether the logged statement is s, in other words perhaps.
func (l logged) isOf(s ddltrack.MySQLStatement) bool {
	text := strings.TrimSpace(l.text)
	if s.Text == text {
		return true
	}
	d := ddltrack.DescribeMySQL(s, ddltrack.MySQLCommand{Database: l.database})
	if d.Operation != l.description.Operation || d.Temporary {
		return false
	}
	switch d.ObjectType {
	case "table", "sequence":
		return strings.HasPrefix(d.Operation, "DROP ") && sameObjects(d.Drops, l.description.Drops)
	case "view", "trigger", "procedure", "function", "event", "package", "package body":
	default:
		return false
	}
	return sameObjects(d.Creates, l.description.Creates) && sameObjects(d.Alters, l.description.Alters) &&
		sameObjects(d.Drops, l.description.Drops) && len(s.Text)-commonSuffix(s.Text, text) <= maxHead
}

// sameObjects compares without regard to the order, which the server changes.
func sameObjects(a, b []ddltrack.MySQLObject) bool {
	if len(a) != len(b) {
		return false
	}
	for _, o := range a {
		if !slices.ContainsFunc(b, func(p ddltrack.MySQLObject) bool { return p.Identity() == o.Identity() }) {
			return false
		}
	}
	return true
}

func commonSuffix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
