package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// loggedQuery is a statement of the binary log, with what a replica has to know
// to replay it.
type loggedQuery struct {
	thread   uint32 // number of the session
	database string // of the session
	text     string
	at       time.Time
	failed   uint16 // number of the error that a statement ended with half-way
	vars     statusVars
}

// statusVars are the settings that a statement ran under (log_event.h of both
// servers). What a server did not write is what has no effect on the statement.
type statusVars struct {
	flags     uint32 // options of the session
	hasFlags  bool
	sqlMode   uint64
	charsets  [3]uint16 // client's, connection's collation, server's collation
	hasChars  bool
	timeZone  string
	micros    uint32
	timestamp *bool // explicit_defaults_for_timestamp, where it is said
	effective bool  // the server's dictionary was changed, and knows it as a transaction
}

// Options of the flags.
const (
	optionNoForeignKeyChecks = 1 << 26
	optionRelaxedUnique      = 1 << 27
)

// decodeQuery reads the body of a query event.
func decodeQuery(ev event) (loggedQuery, error) {
	b := ev.body
	if len(b) < 13 {
		return loggedQuery{}, errors.New("read binary log: statement is cut short")
	}
	name, length := int(b[8]), int(binary.LittleEndian.Uint16(b[11:]))
	if len(b) < 13+length+name+1 {
		return loggedQuery{}, errors.New("read binary log: statement is cut short")
	}
	q := loggedQuery{thread: binary.LittleEndian.Uint32(b), failed: binary.LittleEndian.Uint16(b[9:]), vars: decodeVars(b[13 : 13+length])}
	b = b[13+length:]
	q.database, b = string(b[:name]), b[name+1:]
	if ev.kind == replication.MARIADB_QUERY_COMPRESSED_EVENT {
		var err error
		if b, err = gomysql.DecompressMariadbData(b); err != nil {
			return loggedQuery{}, fmt.Errorf("read binary log: %w", err)
		}
	}
	q.text = string(b)
	q.at = time.Unix(int64(ev.at), int64(q.vars.micros)*1000).UTC()
	return q, nil
}

// Codes of the status variables. Servers write them in an order in which all
// that is needed here comes before what only newer ones know.
const (
	varFlags         = 0
	varSQLMode       = 1
	varCatalog       = 2
	varAutoIncrement = 3
	varCharset       = 4
	varTimeZone      = 5
	varCatalogShort  = 6
	varTimeNames     = 7
	varCharsetDB     = 8
	varTableMap      = 9
	varDataWritten   = 10
	varInvoker       = 11
	varDatabases     = 12
	varMicroseconds  = 13
	varCommitTime    = 14
	varCommitTime2   = 15
	varTimestamp     = 16
	varDDLXid        = 17
	varUTF8MB4       = 18
	varPrimaryKey    = 19
	varEncryption    = 20
	varHRNow         = 128 // MariaDB
	varXid           = 129 // MariaDB

	manyDatabases = 254 // there are too many to be named
)

// decodeVars stops at what it does not know.
func decodeVars(b []byte) statusVars {
	var v statusVars
	text := func() string {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			b = nil
			return ""
		}
		s := string(b[1 : 1+b[0]])
		b = b[1+len(s):]
		return s
	}
	for len(b) > 0 {
		code := b[0]
		b = b[1:]
		switch code {
		case varTimeZone:
			v.timeZone = text()
			continue
		case varCatalogShort:
			text()
			continue
		case varCatalog:
			text()
			b = b[min(1, len(b)):] // it ends with a zero byte
			continue
		case varInvoker:
			text()
			text()
			continue
		case varDatabases:
			b = passDatabases(b)
			continue
		}
		size := sizeOfVar(code)
		if size < 0 || len(b) < size {
			return v
		}
		v.set(code, b[:size])
		b = b[size:]
	}
	return v
}

// sizeOfVar is that of a variable whose size does not vary; -1 where it is not
// known.
func sizeOfVar(code byte) int {
	switch code {
	case varTimestamp, varPrimaryKey, varEncryption:
		return 1
	case varTimeNames, varCharsetDB, varUTF8MB4:
		return 2
	case varMicroseconds, varHRNow:
		return 3
	case varFlags, varAutoIncrement, varDataWritten, varCommitTime:
		return 4
	case varCharset:
		return 6
	case varCommitTime2:
		return 7
	case varSQLMode, varTableMap, varDDLXid, varXid:
		return 8
	}
	return -1
}

func (v *statusVars) set(code byte, b []byte) {
	switch code {
	case varFlags:
		v.flags, v.hasFlags = binary.LittleEndian.Uint32(b), true
	case varSQLMode:
		v.sqlMode = binary.LittleEndian.Uint64(b)
	case varCharset:
		v.hasChars = true
		for i := range v.charsets {
			v.charsets[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
	case varMicroseconds, varHRNow:
		v.micros = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	case varTimestamp:
		explicit := b[0] != 0
		v.timestamp = &explicit
	case varDDLXid, varXid:
		v.effective = true
	}
}

// passDatabases passes the names of the databases that a statement is about.
func passDatabases(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	count := int(b[0])
	b = b[1:]
	if count == manyDatabases {
		return b
	}
	for range count {
		i := 0
		for i < len(b) && b[i] != 0 {
			i++
		}
		b = b[min(i+1, len(b)):]
	}
	return b
}
