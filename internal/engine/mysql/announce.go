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
	last     uint64 // number of the newest text
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
	number uint64
	text   string
	done   int
}

// marks are how far a look at the log has come in what sessions announced: the
// text, and how many of its statements.
type marks map[sessionKey]mark

type mark struct {
	number uint64
	done   int
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
	a.last++
	s.texts = append(s.texts, announcedText{number: a.last, text: text})
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
// the text is empty where it was not announced. The newest message that has the
// statement is the one, since a session waits for each. Statements up to past are
// over, and past moves behind what is found. Nothing is forgotten yet: who could
// not note what the log says looks again.
func (a *announcements) words(l logged, mode ddltrack.MySQLMode, past marks) (text, source string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := sessionKey{l.database, l.thread}
	s := a.sessions[key]
	if s == nil {
		return "", ""
	}
	over := past[key]
	for _, announced := range slices.Backward(s.texts) {
		first := announced.done
		switch {
		case announced.number < over.number:
			return "", s.source
		case announced.number == over.number:
			first = max(first, over.done)
		}
		statements := ddltrack.SplitMySQL(announced.text, mode)
		for n := first; n < len(statements); n++ {
			if l.isOf(statements[n]) {
				past[key] = mark{announced.number, n + 1}
				return statements[n].Text, s.source
			}
		}
	}
	return "", s.source
}

// settle forgets what is over, once what the log says of it is noted.
func (a *announcements) settle(past marks) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, over := range past {
		s := a.sessions[key]
		if s == nil {
			continue
		}
		for len(s.texts) > 0 && s.texts[0].number < over.number {
			a.bytes -= len(s.texts[0].text)
			s.texts = slices.Delete(s.texts, 0, 1)
		}
		if len(s.texts) > 0 && s.texts[0].number == over.number {
			s.texts[0].done = max(s.texts[0].done, over.done)
		}
	}
}
