package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

const (
	eventHeader = 19
	// maxEvent bounds what is kept of one event: the longest statement that is
	// read.
	maxEvent = 64 << 20

	artificial = 0x20 // the event is not in the file

	checksumSize = 4
)

// position is a place in the binary log, between two events.
type position struct {
	file string
	at   uint64
}

// before orders positions of one server; the names of its files end in numbers
// that grow.
func (p position) before(q position) bool {
	if p.file == q.file {
		return p.at < q.at
	}
	if len(p.file) != len(q.file) {
		return len(p.file) < len(q.file)
	}
	return p.file < q.file
}

func (p position) String() string { return p.file + ":" + strconv.FormatUint(p.at, 10) }

// binlogState is what a server says of its log.
type binlogState struct {
	end      position
	filtered bool // some databases are left out
}

func binlogStatus(ctx context.Context, c *conn, f *facts) (binlogState, error) {
	sql := "SHOW MASTER STATUS"
	if !f.mariaDB && f.version >= 80200 {
		sql = "SHOW BINARY LOG STATUS"
	}
	row, err := c.row(ctx, sql)
	if err != nil {
		return binlogState{}, fmt.Errorf("read position of the binary log: %w", err)
	}
	at, err := strconv.ParseUint(string(row[1]), 10, 64)
	if err != nil {
		return binlogState{}, fmt.Errorf("read position of the binary log: %w", err)
	}
	return binlogState{end: position{string(row[0]), at}, filtered: len(row[2]) > 0 || len(row[3]) > 0}, nil
}

// event is one event of the log; body is nil for those that nobody needs.
type event struct {
	kind replication.EventType
	at   uint32 // seconds of Unix time at which its statement began
	body []byte
	end  position // behind it
}

// stream is the binary log as the server sends it to a replica. It is read only
// as far as is asked for; what comes after waits at the server.
type stream struct {
	conn     *conn
	next     position
	checksum bool // events end in one
}

// errLogLost says that the log does not reach back to the position any more, or
// is another server's.
var errLogLost = errors.New("binary log does not have the position")

// dump begins a stream. id is the number of a replica that the server has no
// other of.
func (e *Engine) dump(ctx context.Context, from position, id uint32) (*stream, error) {
	if from.at > math.MaxUint32 {
		return nil, fmt.Errorf("read binary log from %v: position is beyond 4 GiB", from)
	}
	c, err := e.connect(ctx, e.config.User, e.config.Password, "")
	if err != nil {
		return nil, e.unreachable(err)
	}
	// The first says that checksums are understood.
	settings := "SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE', @mariadb_slave_capability = 4, SESSION net_write_timeout = 3600"
	if err := c.exec(ctx, settings); err != nil {
		c.close()
		return nil, fmt.Errorf("read binary log: %w", err)
	}
	body := binary.LittleEndian.AppendUint32(nil, uint32(from.at))
	// MariaDB counts the positions of some events by what it sends.
	body = binary.LittleEndian.AppendUint16(body, replication.BINLOG_SEND_ANNOTATE_ROWS_EVENT)
	body = binary.LittleEndian.AppendUint32(body, id)
	body = append(body, from.file...)
	if err := c.guarded(ctx, func() error { return c.send(gomysql.COM_BINLOG_DUMP, body) }); err != nil {
		c.close()
		return nil, fmt.Errorf("read binary log: %w", err)
	}
	return &stream{conn: c, next: from}, nil
}

func (s *stream) close() { s.conn.close() }

// read waits for the next event.
func (s *stream) read(ctx context.Context) (event, error) {
	var p eventPacket
	err := s.conn.guarded(ctx, func() error {
		if err := s.conn.wire.ReadPacketTo(&p); err != nil {
			return fmt.Errorf("read binary log: %w", err)
		}
		return p.check()
	})
	if errno(err) == gomysql.ER_MASTER_FATAL_ERROR_READING_BINLOG {
		return event{}, fmt.Errorf("%w: %w", errLogLost, err)
	}
	if err != nil {
		return event{}, err
	}
	return s.place(p)
}

// place tells where in the log the event is.
func (s *stream) place(p eventPacket) (event, error) {
	h := p.header[1:]
	ev := event{kind: replication.EventType(h[4]), at: binary.LittleEndian.Uint32(h), body: p.body}
	size, end, flags := binary.LittleEndian.Uint32(h[9:]), binary.LittleEndian.Uint32(h[13:]), binary.LittleEndian.Uint16(h[17:])
	if ev.kind == replication.FORMAT_DESCRIPTION_EVENT && len(p.body) > checksumSize {
		s.checksum = p.body[len(p.body)-checksumSize-1] == byte(replication.BINLOG_CHECKSUM_ALG_CRC32)
	}
	// The rotation that begins a stream has one only where the log has.
	if s.checksum && len(p.body) >= checksumSize && !p.cut {
		p.body = p.body[:len(p.body)-checksumSize]
		ev.body = p.body
	}
	switch {
	case ev.kind == replication.ROTATE_EVENT:
		if len(p.body) < 8 {
			return event{}, errors.New("read binary log: rotation is cut short")
		}
		s.next = position{string(p.body[8:]), binary.LittleEndian.Uint64(p.body)}
	case flags&artificial != 0 || ev.kind == replication.HEARTBEAT_EVENT || ev.kind == replication.HEARTBEAT_LOG_EVENT_V2:
	case ev.kind == replication.FORMAT_DESCRIPTION_EVENT && end == 0:
	case end == 0: // MariaDB 11.4 and later leave it out inside of transactions
		s.next.at += uint64(size)
	default:
		s.next.at = s.next.at&^math.MaxUint32 | uint64(end)
	}
	ev.end = s.next
	return ev, nil
}

// eventPacket keeps an event's header, and the body of the few that are read.
type eventPacket struct {
	header []byte // the packet's first byte, and the event's header
	body   []byte
	cut    bool // the body is longer than what is kept
}

func (p *eventPacket) Write(b []byte) (int, error) {
	n := len(b)
	taken := min(1+eventHeader-len(p.header), len(b))
	p.header = append(p.header, b[:taken]...)
	b = b[taken:]
	if len(b) == 0 || !p.wanted() {
		return n, nil
	}
	room := min(maxEvent-len(p.body), len(b))
	p.body = append(p.body, b[:room]...)
	p.cut = p.cut || room < len(b)
	return n, nil
}

// wanted says whether the event is one that is read. All of an error packet is.
func (p *eventPacket) wanted() bool {
	if p.header[0] != gomysql.OK_HEADER {
		return true
	}
	switch replication.EventType(p.header[5]) {
	case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT, replication.ROTATE_EVENT, replication.FORMAT_DESCRIPTION_EVENT:
		return true
	}
	return false
}

// check is the error that the packet tells of.
func (p *eventPacket) check() error {
	switch {
	case len(p.header) > 0 && p.header[0] == gomysql.ERR_HEADER:
		return refusalOf(append(p.header, p.body...))
	case len(p.header) > 0 && p.header[0] == gomysql.EOF_HEADER:
		return errors.New("read binary log: the server ended it")
	case len(p.header) < 1+eventHeader:
		return errors.New("read binary log: event is cut short")
	}
	return nil
}
