package postgres

import (
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// rowOverhead is about what a row and a value cost beside their bytes.
const (
	rowOverhead   = 48
	valueOverhead = 24
)

// rawResult is the text form of one statement's result.
type rawResult struct {
	columns []column
	rows    [][][]byte
	bytes   int
	tag     pgconn.CommandTag

	described bool // the statement returns rows
	ended     bool // the next message belongs to another statement
}

type column struct {
	name string
	oid  uint32
}

// begin starts a result with rows; it forgets the one before.
func (r *rawResult) begin(m *pgproto3.RowDescription) {
	*r = rawResult{described: true}
	for _, f := range m.Fields {
		r.columns = append(r.columns, column{name: string(f.Name), oid: f.DataTypeOID})
	}
}

// add copies a row. It gives the refusal where the row is one too many or the
// result grows too large.
func (r *rawResult) add(m *pgproto3.DataRow, limits workspace.Limits) *workspace.Error {
	if limits.MaxRows > 0 && int64(len(r.rows)) >= limits.MaxRows {
		r.rows = nil
		return rowLimitError(limits)
	}
	size := 0
	for _, v := range m.Values {
		size += len(v)
	}
	r.bytes += size + rowOverhead + valueOverhead*len(m.Values)
	if r.bytes > maxResultBytes {
		r.rows = nil
		return tooLarge()
	}
	// The values lie in the read buffer, which the next message overwrites.
	row := make([][]byte, len(m.Values))
	held := make([]byte, 0, size)
	for i, v := range m.Values {
		if v == nil {
			continue
		}
		start := len(held)
		held = append(held, v...)
		row[i] = held[start:len(held):len(held)]
	}
	r.rows = append(r.rows, row)
	return nil
}

// complete ends a statement. One that returned no rows replaces what an earlier
// one returned.
func (r *rawResult) complete(tag pgconn.CommandTag) {
	if !r.described || r.ended {
		*r = rawResult{}
	}
	r.tag, r.ended = tag, true
}

// decode turns the text into the contract's JSON types. elements are the
// element types of the array types among the columns.
func (r *rawResult) decode(elements map[uint32]uint32) workspace.Result {
	result := workspace.Result{Columns: make([]string, 0, len(r.columns)), Rows: make([][]any, 0, len(r.rows)), Bytes: int64(r.bytes)}
	if !r.described {
		affected := r.tag.RowsAffected()
		result.RowsAffected = &affected
		return result
	}
	decoders := make([]decoder, len(r.columns))
	for i, c := range r.columns {
		result.Columns = append(result.Columns, c.name)
		decoders[i] = decoderOf(c.oid, elements)
	}
	for n, raw := range r.rows {
		row := make([]any, len(raw))
		for i, text := range raw {
			if text != nil {
				row[i] = decoders[i](string(text))
			}
		}
		result.Rows = append(result.Rows, row)
		r.rows[n] = nil // both forms at once would double the memory
	}
	result.RowCount = int64(len(result.Rows))
	return result
}
