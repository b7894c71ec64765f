package mysql

import (
	"slices"
	"sync"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

const (
	// What is kept of what clients announced; the oldest goes first.
	maxAnnounced         = 32 << 20
	maxAnnouncedSessions = 4096
	maxAnnouncedTexts    = 64 // of one session
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

// words are the client's own for a logged statement, and the way it was sent;
// found is false where it was not announced. The newest message that has the
// statement is the one, since a session waits for each; what it announced before
// is over and forgotten.
func (a *announcements) words(l logged, mode ddltrack.MySQLMode) (text, source string, found bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[sessionKey{l.database, l.thread}]
	if s == nil {
		return "", "", false
	}
	for i, announced := range slices.Backward(s.texts) {
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
