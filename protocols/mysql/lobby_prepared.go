package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// firstPrepared is where the lobby's numbers of prepared statements begin, far
	// from those of servers, which count from one.
	firstPrepared = 1 << 30
	// maxLobbyPrepared bounds the statements that a client has prepared at a time.
	maxLobbyPrepared = 32
)

// preparedText is a statement that was prepared in the lobby. No backend has it:
// it is prepared again for each execution, and where the client has chosen a
// database.
type preparedText struct {
	id         uint32 // that the client was given
	text       string
	parameters int
	bound      binding  // of its last execution
	long       [][]byte // COM_STMT_SEND_LONG_DATA for the next one
	tooLong    bool     // there was no room for them
	sets       bool     // it changes the session
}

// prepare checks a statement on a server, whose reply has a number of ours.
func (l *lobby) prepare(ctx context.Context, command []byte) (workspace.Route, error) {
	l.latest = 0
	text := string(command[1:])
	if len(text) > maxLobbyText {
		return workspace.Route{}, l.say(noneSelected())
	}
	q, ok, err := l.question(ctx, text, ddltrack.MySQLPreparedErrandOf)
	switch {
	case err != nil:
		return workspace.Route{}, errors.Join(l.refuse(noLogins()), err)
	case !ok:
		return l.leave(ctx, text, command)
	case len(l.prepared) == maxLobbyPrepared:
		return workspace.Route{}, l.say(failf(mysql.ER_MAX_PREPARED_STMT_COUNT_REACHED, stateSyntaxOrRight,
			"Can't create more than %d prepared statements before a database is chosen", maxLobbyPrepared))
	}
	var reply errandReply
	err = l.errand(ctx, l.capabilities, func(b *backend) error {
		_, err := b.prepare(q.run, &reply)
		return err
	})
	if err == nil && !reply.failed {
		l.latest = firstPrepared + l.numbered
		l.numbered++
		l.prepared = append(l.prepared, preparedText{id: l.latest, text: text, parameters: reply.parameters(), sets: q.sets})
		binary.LittleEndian.PutUint32(reply.packets[headerLen+1:], l.latest)
	}
	return workspace.Route{}, l.reply(reply.packets, err)
}

// prepare prepares a statement and gives the number that the server has for it,
// where the reply is no error.
func (b *backend) prepare(text string, r *errandReply) (id uint32, err error) {
	if err := b.ask(append([]byte{mysql.COM_STMT_PREPARE}, text...), r); err != nil || r.failed {
		return 0, err
	}
	f := fields{b: r.packets[headerLen+1:]}
	if id = f.uint32(); f.bad {
		return 0, errMalformed
	}
	return id, nil
}

// find is what was prepared by that number; nil where nothing was.
func (l *lobby) find(id uint32) *preparedText {
	if id == lastPrepared {
		id = l.latest
	}
	i := slices.IndexFunc(l.prepared, func(p preparedText) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	return &l.prepared[i]
}

// withPrepared answers the commands about a prepared statement.
func (l *lobby) withPrepared(ctx context.Context, command []byte) error {
	f := fields{b: command[1:]}
	id := f.uint32()
	if f.bad {
		return errors.Join(l.refuse(malformed()), errMalformed)
	}
	p := l.find(id)
	switch {
	case command[0] == mysql.COM_STMT_CLOSE:
		l.prepared = slices.DeleteFunc(l.prepared, func(p preparedText) bool { return p.id == id })
		return nil // has no reply
	case p == nil:
		return l.say(failf(mysql.ER_UNKNOWN_STMT_HANDLER, stateGeneral, "Unknown prepared statement handler (%d) before a database is chosen", id))
	case command[0] == mysql.COM_STMT_FETCH:
		return l.say(failf(mysql.ER_STMT_HAS_NO_OPEN_CURSOR, stateGeneral, "The statement (%d) has no open cursor.", id))
	case command[0] == mysql.COM_STMT_RESET:
		p.long, p.tooLong = nil, false
		return l.ok()
	case len(command) < executeHeader:
		return errors.Join(l.refuse(malformed()), errMalformed)
	}
	commands, tooLong := p.execution(command, l.capabilities), p.tooLong
	p.long, p.tooLong = nil, false
	if tooLong {
		return l.say(failf(mysql.ER_UNKNOWN_ERROR, stateGeneral, "Parameters of prepared statements which are set through mysql_send_long_data() are longer than %d bytes before a database is chosen", maxLong))
	}
	return l.execute(ctx, *p, commands)
}

// execute prepares a statement and executes it on the same backend. A cursor that
// the client may ask for is not opened, as it is not by servers where there are
// no rows to be fetched later. commands are the execution and what comes before it,
// with the statement's number to be put in.
func (l *lobby) execute(ctx context.Context, p preparedText, commands [][]byte) error {
	q, ok, err := l.question(ctx, p.text, ddltrack.MySQLPreparedErrandOf)
	if err != nil {
		return errors.Join(l.refuse(noLogins()), err)
	}
	said := setting{text: p.text}
	if p.parameters > 0 {
		said.execution = commands
	}
	if !ok || q.sets && (len(l.remembered) == maxRemembered || said.size() > maxLobbyText) {
		return l.say(noneSelected())
	}
	var reply errandReply
	always := l.capabilities // has the definitions with every result
	always.extended &^= mariadbCacheMetadata
	err = l.errand(ctx, always, func(b *backend) error {
		var prepared errandReply
		id, err := b.prepare(q.run, &prepared)
		if err != nil || prepared.failed {
			reply = prepared
			return err
		}
		return b.execute(id, commands, &reply)
	})
	if err == nil && !reply.failed {
		l.settle(reply)
		if q.sets {
			l.remember(said)
		}
	}
	if always != l.capabilities {
		reply.sayDefined()
	}
	return l.reply(reply.packets, err)
}

// sayDefined has a result say that its definitions follow, as MariaDB does for
// clients that know of results without.
func (r *errandReply) sayDefined() {
	if len(r.packets) <= headerLen || r.packets[headerLen] == mysql.OK_HEADER || r.packets[headerLen] == mysql.ERR_HEADER {
		return
	}
	end := headerLen + payloadLen(r.packets)
	count := append(slices.Clone(r.packets[headerLen:end]), 1)
	r.packets = append(appendPacket(nil, r.packets[3], count), r.packets[end:]...)
}

// takeOver makes the backend's session what the client made of it in the lobby.
// moved has the server's numbers of prepared statements by those of the lobby.
func (b *backend) takeOver(ctx context.Context, st *startup) (moved map[uint32]uint32, err error) {
	if err := b.setUp(ctx, st); err != nil || len(st.prepared) == 0 {
		return nil, err
	}
	moved = make(map[uint32]uint32)
	err = b.within(ctx, func(b *backend) error {
		for _, p := range st.prepared {
			var reply errandReply
			id, err := b.prepare(p.text, &reply)
			if err != nil {
				return fmt.Errorf("prepare again: %w", err)
			}
			if reply.failed {
				continue
			}
			moved[p.id] = id
			if err := b.bindAgain(id, p); err != nil {
				return fmt.Errorf("bind again: %w", err)
			}
		}
		return nil
	})
	return moved, err
}
