package mysql

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// commandBulkExecute is MariaDB's COM_STMT_BULK_EXECUTE.
const commandBulkExecute = 0xfa

const (
	// maxStatement is the longest statement text that is held for inspection.
	maxStatement = 1 << 20
	// maxShort is the longest text that is held where no schema is tracked: to
	// be looked at for a KILL, or for the end of the database.
	maxShort = 1 << 10
	// maxName bounds a database name in bytes: 64 characters.
	maxName = 4 * 64
	// executeHead is as much of a command as tells what it executes.
	executeHead = 1 + 4 + 1
)

// scanFrontend goes over what the client sent; now is the wheel's clock and
// timeout the workspace's limit.
func (t *track) scanFrontend(b []byte, now int64, timeout time.Duration) (step, error) {
	pos := 0
	for {
		if t.refused != nil && t.frontPass == 0 && !t.frontMore {
			return step{pass: pos, act: refuse}, nil
		}
		if pos == len(b) {
			return step{pass: pos}, nil
		}
		if t.frontPass > 0 {
			n := min(t.frontPass, len(b)-pos)
			if t.refused != nil {
				return step{pass: pos, act: dropped, size: n}, nil
			}
			pos += n
			t.passed(n, now, timeout)
			continue
		}
		rest := b[pos:]
		if len(rest) < headerLen {
			return step{pass: pos, need: headerLen}, nil
		}
		size := headerLen + payloadLen(rest)
		switch {
		case t.frontMore:
		case t.infile:
			if !t.owed {
				return step{pass: pos}, failf(mysql.ER_NET_PACKETS_OUT_OF_ORDER, stateConnection, "The server did not wait for the end of the file")
			}
			if size == headerLen {
				t.infile = false
				t.arm(now, timeout)
			}
		default:
			s, err := t.begin(rest, size)
			if err != nil || s.act != more || s.need > 0 {
				s.pass = pos
				return s, err
			}
			t.judged = false
		}
		t.frontMore = size == headerLen+maxPayload
		t.frontPass = size
	}
}

// passed settles n bytes of the client's packet at hand. The clock starts when
// the server has all of a command.
func (t *track) passed(n int, now int64, timeout time.Duration) {
	t.frontPass -= n
	if t.frontPass == 0 && !t.frontMore && t.owed && !t.infile {
		t.arm(now, timeout)
	}
}

// dropFront settles n bytes of a refused command.
func (t *track) dropFront(n int) { t.frontPass -= n }

// begin looks at a command that begins at b[0] with a packet of size bytes.
func (t *track) begin(b []byte, size int) (step, error) {
	if size == headerLen {
		return step{}, malformed()
	}
	if len(b) < headerLen+1 {
		return step{need: headerLen + 1}, nil
	}
	if b[3] != 0 {
		return step{}, failf(mysql.ER_NET_PACKETS_OUT_OF_ORDER, stateConnection, "Got packets out of order")
	}
	if t.owed {
		return step{act: busy}, nil
	}
	command := b[headerLen]
	if len(t.statements.moved) > 0 && ofPrepared(command) && size >= headerLen+1+4 {
		if len(b) < headerLen+1+4 {
			return step{need: headerLen + 1 + 4}, nil
		}
		t.statements.number(b[headerLen+1:])
	}
	switch command {
	case mysql.COM_QUIT:
		return step{act: terminate}, nil
	case mysql.COM_QUERY:
		return t.beginQuery(b, size)
	case mysql.COM_STMT_PREPARE:
		return t.beginPrepare(b, size)
	case mysql.COM_STMT_EXECUTE, commandBulkExecute, mysql.COM_STMT_FETCH:
		return t.beginExecute(b, size)
	case mysql.COM_STMT_CLOSE:
		return t.beginClose(b, size)
	case mysql.COM_STMT_SEND_LONG_DATA:
		return step{}, nil // has no reply
	case mysql.COM_INIT_DB:
		return t.beginInitDB(b, size)
	case mysql.COM_CHANGE_USER:
		return hold(b, size, maxStartup, changeUser)
	case mysql.COM_PROCESS_KILL:
		return t.beginProcessKill(b, size)
	case mysql.COM_FIELD_LIST:
		t.owe(command)
		t.phase = phaseList
		return step{}, nil
	case mysql.COM_PING, mysql.COM_STATISTICS, mysql.COM_PROCESS_INFO, mysql.COM_STMT_RESET, mysql.COM_SET_OPTION, mysql.COM_RESET_CONNECTION:
		t.owe(command)
		return step{}, nil
	}
	return t.deny(commandDenied(commandName(command)))
}

// ofPrepared says whether a command's arguments begin with the number of a
// prepared statement.
func ofPrepared(command byte) bool {
	switch command {
	case mysql.COM_STMT_EXECUTE, commandBulkExecute, mysql.COM_STMT_FETCH, mysql.COM_STMT_RESET, mysql.COM_STMT_CLOSE, mysql.COM_STMT_SEND_LONG_DATA:
		return true
	}
	return false
}

// hold waits until the whole packet is there, and then asks for act.
func hold(b []byte, size, limit int, act verdict) (step, error) {
	if size > headerLen+limit {
		return step{}, malformed()
	}
	if len(b) < size {
		return step{need: size}, nil
	}
	return step{act: act, size: size}, nil
}

// owe says that a reply to command is to come.
func (t *track) owe(command byte) {
	t.owed, t.command, t.phase, t.rows = true, command, phaseFirst, 0
}

// deny begins to drop a command, which is answered with f at its end.
func (t *track) deny(f *failure) (step, error) {
	t.refused = f
	return step{}, nil
}

// dropDatabase is what the role could do, since MySQL has no right to drop
// tables without it, and what would take the workspace's database away.
const dropDatabase = "dropping the database (delete the workspace through the API)"

// commandName is what a person may know a command by.
func commandName(command byte) string {
	switch command {
	case mysql.COM_CREATE_DB, mysql.COM_DROP_DB:
		return "creating or dropping a database"
	case mysql.COM_BINLOG_DUMP, mysql.COM_BINLOG_DUMP_GTID, mysql.COM_REGISTER_SLAVE, mysql.COM_TABLE_DUMP, mysql.COM_CLONE, mysql.COM_SUBSCRIBE_GROUP_REPLICATION_STREAM:
		return "replication"
	case mysql.COM_SHUTDOWN, mysql.COM_DEBUG, mysql.COM_REFRESH, mysql.COM_DAEMON:
		return "server administration"
	}
	return "this command"
}

// beginQuery looks at the text of a COM_QUERY, where a rule must see it.
func (t *track) beginQuery(b []byte, size int) (step, error) {
	if !t.judged {
		if need := t.needs(size); len(b) < need {
			return step{need: need}, nil
		}
		text := t.capabilities.queryText(b[headerLen+1 : min(size, len(b))])
		if size <= headerLen+1+maxShort && mayBeKill(text) {
			if k, ok := parseKill(text); ok {
				return step{act: mapKill, size: size, kill: k}, nil
			}
		}
		may := size > maxStatement || ddltrack.MayChangeSchemaMySQL(text)
		if t.deployed && may && ddltrack.DefinesMySQL(t.capabilities.queryText(b[headerLen+1:t.needs(size)])) {
			return t.deny(noDDL())
		}
		if may && t.looksAt(size) && ddltrack.DropsDatabaseMySQL(text) {
			return t.deny(commandDenied(dropDatabase))
		}
		t.outdates = t.outdates || may && ddltrack.MayAlterDatabaseMySQL(text)
		if t.tracked && may {
			return step{act: judge, size: size}, nil
		}
	}
	t.owe(mysql.COM_QUERY)
	t.mayLoad = mayLoad(t.capabilities.queryText(b[headerLen+1:min(size, len(b))]), len(b) >= size)
	return step{}, nil
}

// needs is how much of a text's packet of size bytes must be there before it may
// go. Of one that is too long to be held, the front tells whether it begins with
// a definition; what comes behind is the server's to refuse.
func (t *track) needs(size int) int {
	switch {
	case t.looksAt(size):
		return size
	case t.deployed:
		return headerLen + 1 + maxShort
	}
	return headerLen + 1 + queryPeek
}

// looksAt says whether all of a text is held and looked at, in a packet of size
// bytes.
func (t *track) looksAt(size int) bool {
	return size <= headerLen+1+maxShort || (t.tracked || t.deployed) && size <= maxStatement
}

// beginPrepare remembers a text that may change the schema when it runs.
func (t *track) beginPrepare(b []byte, size int) (step, error) {
	if need := t.needs(size); len(b) < need {
		return step{need: need}, nil
	}
	text := b[headerLen+1 : min(size, len(b))]
	may := ddltrack.MayChangeSchemaMySQL(text)
	if t.deployed && (may || size > maxStatement) && ddltrack.DefinesMySQL(b[headerLen+1:t.needs(size)]) {
		return t.deny(noDDL())
	}
	if t.looksAt(size) && may && ddltrack.DropsDatabaseMySQL(text) {
		return t.deny(commandDenied(dropDatabase))
	}
	t.outdates = t.outdates || may && ddltrack.MayAlterDatabaseMySQL(text)
	if t.tracked {
		switch {
		case size > maxStatement:
			t.statements.prepare("", true)
		case may:
			t.statements.prepare(string(text), true)
		default:
			t.statements.prepare("", false)
		}
	}
	t.statements.latestLoads = mayLoad(text, len(b) >= size)
	t.owe(mysql.COM_STMT_PREPARE)
	return step{}, nil
}

// beginExecute finds the statement that is executed, or fetched from.
func (t *track) beginExecute(b []byte, size int) (step, error) {
	if need := min(size, headerLen+executeHead); len(b) < need {
		return step{need: need}, nil
	}
	f := fields{b: b[headerLen:min(size, len(b))]}
	command, id, flags := f.byte(), f.uint32(), f.byte()
	if f.bad {
		return step{}, malformed()
	}
	if _, may := t.statements.text(id); may && !t.judged && command != mysql.COM_STMT_FETCH {
		return step{act: judge, size: size}, nil
	}
	t.owe(command)
	t.prepared = id
	switch command {
	case mysql.COM_STMT_FETCH:
		t.phase, t.rows = phaseRows, t.statements.sent(id)
	case mysql.COM_STMT_EXECUTE:
		t.opening = flags != 0
	}
	t.mayLoad = command != mysql.COM_STMT_FETCH && t.statements.loads(id)
	return step{}, nil
}

func (t *track) beginClose(b []byte, size int) (step, error) {
	if need := min(size, headerLen+1+4); len(b) < need {
		return step{need: need}, nil
	}
	f := fields{b: b[headerLen+1 : min(size, len(b))]}
	t.statements.forget(f.uint32())
	return step{}, nil // has no reply
}

// beginInitDB lets the own database pass, and what every role sees of the
// server's catalog.
func (t *track) beginInitDB(b []byte, size int) (step, error) {
	if size > headerLen+1+maxName {
		return t.deny(noDatabase("of that name"))
	}
	if len(b) < size {
		return step{need: size}, nil
	}
	name := string(b[headerLen+1 : size])
	if !t.reachable(name) {
		return t.deny(noDatabase("'" + name + "'"))
	}
	t.owe(mysql.COM_INIT_DB)
	return step{}, nil
}

func (t *track) beginProcessKill(b []byte, size int) (step, error) {
	if size != headerLen+1+4 {
		return step{}, malformed()
	}
	if len(b) < size {
		return step{need: size}, nil
	}
	id := binary.LittleEndian.Uint32(b[headerLen+1:])
	return step{act: mapKill, size: size, kill: kill{before: "KILL ", id: uint64(id)}}, nil
}

// reachable says whether a client may make the database its default: its own,
// by whatever case the server takes for the same, and the server's catalog.
func (t *track) reachable(name string) bool {
	return strings.EqualFold(name, t.database) || strings.EqualFold(name, "information_schema")
}
