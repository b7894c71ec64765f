package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/packet"
)

// maxAnswer bounds the packets of an answer to the administrator, and what is
// kept of one that is longer.
const maxAnswer = 64 << 20

// errTooLong is about a packet that is longer than its reader allows.
var errTooLong = errors.New("packet is longer than allowed")

// conn is one connection, used by one goroutine at a time.
type conn struct {
	wire    *packet.Conn
	id      uint32 // the server's number of it
	version string // the server's, as it says it
	status  uint16 // of the session after the last statement
	broken  bool   // an exchange was cut short: nothing more can be read
}

func (c *conn) close() {
	c.broken = true
	// The server may have closed it first; there is nobody to tell.
	_ = c.wire.Close()
}

func (c *conn) inTransaction() bool { return c.status&gomysql.SERVER_STATUS_IN_TRANS != 0 }

// guarded runs an exchange with the server that ends when ctx does.
func (c *conn) guarded(ctx context.Context, exchange func() error) error {
	if c.broken {
		return errors.New("connection is closed")
	}
	stop := context.AfterFunc(ctx, func() { _ = c.wire.SetDeadline(time.Unix(1, 0)) })
	err := exchange()
	if !stop() {
		c.broken = true
		return errors.Join(context.Cause(ctx), err)
	}
	if _, refused := errors.AsType[*gomysql.MyError](err); err != nil && !refused {
		c.broken = true
	}
	return err
}

// send writes one command.
func (c *conn) send(command byte, body []byte) error {
	c.wire.ResetSequence()
	data := make([]byte, 5, 5+len(body))
	data[4] = command
	return c.wire.WritePacket(append(data, body...))
}

// exec runs statements of our own and passes over their rows.
func (c *conn) exec(ctx context.Context, sql string) error {
	_, err := c.rows(ctx, sql)
	return err
}

// rows runs statements of our own and gives the rows of the last that has any.
// A nil value is NULL.
func (c *conn) rows(ctx context.Context, sql string) ([][][]byte, error) {
	var a answer
	if err := c.guarded(ctx, func() error { return c.ask(sql, &a) }); err != nil {
		return nil, err
	}
	return a.rows, nil
}

// row is rows for statements that give exactly one.
func (c *conn) row(ctx context.Context, sql string) ([][]byte, error) {
	rows, err := c.rows(ctx, sql)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("%d rows where one was expected", len(rows))
	}
	return rows[0], nil
}

// taker is told of results as they arrive. begin is called for each statement
// that has columns, add for its rows, done for each statement that ended well.
type taker interface {
	begin(fields []*gomysql.Field)
	add(row [][]byte)
	done(affected uint64)
	// skip says that rows are not wanted any more.
	skip() bool
}

// ask runs statements and reads all of their results. An error of the server
// ends the reading, as it ends the server's work.
func (c *conn) ask(sql string, to taker) error {
	if err := c.send(gomysql.COM_QUERY, []byte(sql)); err != nil {
		return fmt.Errorf("send statement: %w", err)
	}
	for {
		if err := c.result(to); err != nil {
			return err
		}
		if c.status&gomysql.SERVER_MORE_RESULTS_EXISTS == 0 {
			return nil
		}
	}
}

// result reads one statement's result.
func (c *conn) result(to taker) error {
	p, err := c.packet(maxAnswer)
	if err != nil {
		return err
	}
	switch p[0] {
	case gomysql.OK_HEADER:
		affected, rest, err := lengthEncoded(p[1:])
		if err != nil {
			return err
		}
		if _, rest, err = lengthEncoded(rest); err != nil { // the row's id
			return err
		}
		if err := c.setStatus(rest); err != nil {
			return err
		}
		to.done(affected)
		return nil
	case gomysql.ERR_HEADER:
		return refusalOf(p)
	case gomysql.LocalInFile_HEADER:
		// We did not offer it, so no server asks.
		return errors.New("server asks for a file of ours")
	}
	columns, _, err := lengthEncoded(p)
	if err != nil {
		return err
	}
	fields := make([]*gomysql.Field, 0, min(columns, 4096))
	for range columns {
		if p, err = c.packet(maxAnswer); err != nil {
			return err
		}
		var f *gomysql.Field
		err := wellFormed(func() (err error) {
			f, err = gomysql.FieldData(p).Parse()
			return err
		})
		if err != nil {
			return fmt.Errorf("read column: %w", err)
		}
		fields = append(fields, f)
	}
	if _, err = c.packet(maxAnswer); err != nil { // the end of the columns
		return err
	}
	to.begin(fields)
	return c.resultRows(len(fields), to)
}

func (c *conn) resultRows(columns int, to taker) error {
	for {
		p, err := c.packet(maxAnswer)
		if errors.Is(err, errTooLong) {
			to.add(nil)
			continue
		}
		if err != nil {
			return err
		}
		switch {
		case p[0] == gomysql.EOF_HEADER && len(p) < 9:
			if err := c.setStatus(p[min(3, len(p)):]); err != nil {
				return err
			}
			to.done(0)
			return nil
		case p[0] == gomysql.ERR_HEADER:
			return refusalOf(p)
		case to.skip():
			continue
		}
		row := make([][]byte, columns)
		for i := range row {
			if row[i], p, err = value(p); err != nil {
				return fmt.Errorf("read row: %w", err)
			}
		}
		to.add(row)
	}
}

// errMalformed is about an answer that is none of a MySQL server. Who reads a
// live database's schema may be sent anything.
var errMalformed = errors.New("answer is malformed")

// wellFormed runs one of the library's decoders, which trust what they read.
func wellFormed(decode func() error) (err error) {
	defer func() {
		switch problem := recover().(type) {
		case nil:
		case runtime.Error:
			err = errMalformed
		default:
			panic(problem)
		}
	}()
	return decode()
}

// setStatus reads the session's status from the front of p.
func (c *conn) setStatus(p []byte) error {
	if len(p) < 2 {
		return errMalformed
	}
	c.status = binary.LittleEndian.Uint16(p)
	return nil
}

// lengthEncoded takes a number from the front of p.
func lengthEncoded(p []byte) (n uint64, rest []byte, err error) {
	need := 1
	if len(p) > 0 {
		switch p[0] {
		case 0xfc:
			need = 3
		case 0xfd:
			need = 4
		case 0xfe:
			need = 9
		}
	}
	if len(p) < need {
		return 0, nil, errMalformed
	}
	n, _, size := gomysql.LengthEncodedInt(p)
	return n, p[size:], nil
}

// value takes a row's value from the front of p, which it refers to; NULL is nil.
func value(p []byte) (v, rest []byte, err error) {
	if len(p) > 0 && p[0] == nullHeader {
		return nil, p[1:], nil
	}
	n, rest, err := lengthEncoded(p)
	if err != nil || n > uint64(len(rest)) {
		return nil, nil, errMalformed
	}
	return rest[:n:n], rest[n:], nil
}

// nullHeader stands for a value that is NULL.
const nullHeader = 0xfb

// packet reads one packet of at least one byte. What is beyond limit is read
// and forgotten, and the error is errTooLong.
func (c *conn) packet(limit int) ([]byte, error) {
	p := capped{limit: limit}
	if err := c.wire.ReadPacketTo(&p); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if p.total > limit {
		return p.kept, errTooLong
	}
	if p.total == 0 {
		return nil, errors.New("read answer: empty packet")
	}
	return p.kept, nil
}

// capped keeps the first bytes that are written to it.
type capped struct {
	limit int
	kept  []byte
	total int
}

func (p *capped) Write(b []byte) (int, error) {
	p.total += len(b)
	p.kept = append(p.kept, b[:min(len(b), p.limit-len(p.kept))]...)
	return len(b), nil
}

// refusalOf reads an error packet.
func refusalOf(p []byte) error {
	if len(p) < 3 {
		return errors.New("error packet is cut short")
	}
	e := &gomysql.MyError{Code: binary.LittleEndian.Uint16(p[1:]), State: "HY000", Message: string(p[3:])}
	if len(p) >= 9 && p[3] == '#' {
		e.State, e.Message = string(p[4:9]), string(p[9:])
	}
	return e
}

// answer keeps the rows of the last statement that has any.
type answer struct {
	rows [][][]byte
}

func (a *answer) begin([]*gomysql.Field) { a.rows = nil }
func (a *answer) add(row [][]byte)       { a.rows = append(a.rows, row) }
func (a *answer) done(uint64)            {}
func (a *answer) skip() bool             { return false }
