package mysql

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/go-mysql-org/go-mysql/mysql"
)

const (
	// executeHeader is a COM_STMT_EXECUTE up to its parameters: the statement's
	// number, flags, and how often it is to be executed.
	executeHeader = 1 + 4 + 1 + 4
	// countFlag says that the number of parameters comes before them, of a client
	// that may send query attributes among them.
	countFlag = 8
	// maxLong bounds what a client has sent ahead of its executions.
	maxLong = 64 << 10
)

// binding is what an execution says of its parameters
// (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html).
// Clients send their types with the first one only.
type binding struct {
	count uint64
	named bool // the count is said, and their names with their types
	types []byte
}

// setting is a statement that sets up the session, with the commands that execute it
// where it was prepared.
type setting struct {
	text      string
	execution [][]byte
}

// size is how many bytes it has.
func (s setting) size() int {
	size := len(s.text)
	for _, command := range s.execution {
		size += len(command)
	}
	return size
}

// set has the server run a setting.
func (b *backend) set(s setting) error {
	if s.execution == nil {
		return b.exec(s.text)
	}
	var reply errandReply
	id, err := b.prepare(s.text, &reply)
	if err == nil && !reply.failed {
		if err = b.execute(id, s.execution, &reply); err == nil {
			_, err = b.conn.Write(appendPacket(nil, 0, numbered([]byte{mysql.COM_STMT_CLOSE, 0, 0, 0, 0}, id)))
		}
	}
	if err == nil && reply.failed {
		return fmt.Errorf("%s is refused where it was taken before", s.text)
	}
	return err
}

// parameters is how many of them the reply to a COM_STMT_PREPARE says.
func (r *errandReply) parameters() int {
	f := fields{b: r.packets[headerLen:]}
	f.take(1 + 4 + 2) // status, number, columns
	return int(f.uint16())
}

// execution gives a client's COM_STMT_EXECUTE, with the types of its parameters if
// they were said before, behind what was sent ahead for it.
func (p *preparedText) execution(command []byte, c capabilities) [][]byte {
	if p.parameters == 0 {
		return [][]byte{executeCommand(0)}
	}
	flags := byte(0) // no cursor
	if c.has(mysql.CLIENT_QUERY_ATTRIBUTES) {
		flags = command[1+4] & countFlag
	}
	return append(slices.Clone(p.long), append(executeCommand(flags), p.bind(command[executeHeader:], flags != 0)...))
}

// executeCommand is a COM_STMT_EXECUTE without parameters, and without a number.
func executeCommand(flags byte) []byte {
	return []byte{mysql.COM_STMT_EXECUTE, 0, 0, 0, 0, flags, 1, 0, 0, 0}
}

// bind adds the types to parameters that come without, and remembers those of
// others. What can't be read is left to the server.
func (p *preparedText) bind(parameters []byte, named bool) []byte {
	f := fields{b: parameters}
	count := uint64(p.parameters)
	if named {
		count = f.lenenc()
	}
	if f.bad || count > 8*uint64(len(f.b)) {
		return parameters
	}
	f.take(int(count+7) / 8) // which are null
	before := len(parameters) - len(f.b)
	switch said := f.byte(); {
	case f.bad:
	case said == 1:
		types := f.b
		for range count {
			f.take(2)
			if named {
				f.lenencBytes()
			}
		}
		if !f.bad {
			p.bound = binding{count, named, slices.Clone(types[:len(types)-len(f.b)])}
		}
	case p.bound.types != nil && p.bound.count == count && p.bound.named == named:
		return slices.Concat(parameters[:before], []byte{1}, p.bound.types, f.b)
	}
	return parameters
}

// keepLong keeps a part of a parameter for the next execution, which fails where
// there is no room.
func (l *lobby) keepLong(command []byte) {
	f := fields{b: command[1:]}
	p := l.find(f.uint32())
	f.uint16() // which parameter
	if f.bad || p == nil {
		return
	}
	size := len(command)
	for _, p := range l.prepared {
		for _, kept := range p.long {
			size += len(kept)
		}
	}
	if p.tooLong = p.tooLong || size > maxLong; p.tooLong {
		p.long = nil
		return
	}
	p.long = append(p.long, slices.Clone(command))
}

// numbered is a copy of a command for the statement with that number.
func numbered(command []byte, id uint32) []byte {
	command = slices.Clone(command)
	binary.LittleEndian.PutUint32(command[1:], id)
	return command
}

// execute sends the commands for the statement with that number; the last of them
// has a reply.
func (b *backend) execute(id uint32, commands [][]byte, r *errandReply) error {
	var ahead []byte
	for i, command := range commands {
		command = numbered(command, id)
		if i == len(commands)-1 {
			if _, err := b.conn.Write(ahead); err != nil {
				return err
			}
			return b.ask(command, r)
		}
		ahead = appendPacket(ahead, 0, command)
	}
	return nil
}

// bindAgain has the server know of a statement what another one was told: the
// types of its parameters, by an execution in which all are NULL where that changes
// nothing, and what was sent ahead.
func (b *backend) bindAgain(id uint32, p preparedText) error {
	if p.bound.types != nil && !p.sets {
		command := executeCommand(0)
		if p.bound.named {
			command = mysql.AppendLengthEncodedInteger(executeCommand(countFlag), p.bound.count)
		}
		command = append(command, slices.Repeat([]byte{0xff}, int(p.bound.count+7)/8)...)
		if err := b.execute(id, [][]byte{append(append(command, 1), p.bound.types...)}, new(errandReply)); err != nil {
			return err
		}
	}
	for _, command := range p.long {
		if _, err := b.conn.Write(appendPacket(nil, 0, numbered(command, id))); err != nil {
			return err
		}
	}
	return nil
}
