package mysql

import (
	"encoding/binary"

	"github.com/go-mysql-org/go-mysql/mysql"
)

const (
	// lastPrepared is MariaDB's name for the statement prepared last, for
	// clients that execute it before they know its number.
	lastPrepared = ^uint32(0)
	// maxPrepared bounds the statements that are remembered; servers allow
	// fewer by default (max_prepared_stmt_count).
	maxPrepared = 1 << 15
)

// maxTexts bounds the bytes of the texts that are remembered. Of what is beyond
// it is known only that it may change the schema.
const maxTexts = 4 << 20

// statements are the prepared statements of a session of which something must
// be remembered: those that may change the schema, by their texts, and the rows
// that were sent from open cursors.
type statements struct {
	changing map[uint32]string
	kept     int // bytes of changing
	cursors  map[uint32]int64
	// latest is the text under way, or prepared last, where it may change the
	// schema.
	latest    string
	latestMay bool
	// loading are those that may make the server ask for a file.
	loading     map[uint32]bool
	latestLoads bool
	// moved has the server's numbers of those that were prepared in the lobby.
	moved map[uint32]uint32
}

// number puts the server's number of a prepared statement in the place of the
// lobby's, at the front of a command's arguments.
func (s *statements) number(arguments []byte) {
	if id, moved := s.moved[binary.LittleEndian.Uint32(arguments)]; moved {
		binary.LittleEndian.PutUint32(arguments, id)
	}
}

// prepare remembers what is prepared next: text, where it may change the schema.
func (s *statements) prepare(text string, may bool) { s.latest, s.latestMay = text, may }

// prepared gives the statement its number.
func (s *statements) prepared(id uint32) {
	s.forget(id)
	if s.latestLoads {
		if s.loading == nil {
			s.loading = make(map[uint32]bool)
		}
		s.loading[id] = true
	}
	if !s.latestMay {
		return
	}
	if s.changing == nil {
		s.changing = make(map[uint32]string)
	}
	text := s.latest
	if s.kept+len(text) > maxTexts || len(s.changing) >= maxPrepared {
		text = ""
	}
	s.kept += len(text)
	s.changing[id] = text
}

// text is what an execution of id runs, as far as it is known, where it may
// change the schema.
func (s *statements) text(id uint32) (text string, may bool) {
	if id == lastPrepared {
		return s.latest, s.latestMay
	}
	text, may = s.changing[id]
	return text, may
}

// loads says whether an execution of id may make the server ask for a file.
func (s *statements) loads(id uint32) bool {
	return id == lastPrepared && s.latestLoads || s.loading[id]
}

// sent is how many rows were fetched from id's cursor.
func (s *statements) sent(id uint32) int64 { return s.cursors[id] }

// fetched remembers the rows that were sent from id's cursor.
func (s *statements) fetched(command byte, id uint32, opening bool, rows int64) {
	switch {
	case command == mysql.COM_STMT_FETCH:
	case command != mysql.COM_STMT_EXECUTE || !opening:
		return
	default:
		rows = 0
	}
	if s.cursors == nil {
		s.cursors = make(map[uint32]int64)
	}
	if len(s.cursors) >= maxPrepared {
		clear(s.cursors)
	}
	s.cursors[id] = rows
}

// forget drops a closed statement.
func (s *statements) forget(id uint32) {
	s.kept -= len(s.changing[id])
	delete(s.changing, id)
	delete(s.cursors, id)
	delete(s.loading, id)
}

func (s *statements) forgetAll() {
	clear(s.changing)
	clear(s.cursors)
	clear(s.loading)
	clear(s.moved)
	s.kept, s.latest, s.latestMay, s.latestLoads = 0, "", false, false
}
