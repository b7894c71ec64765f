package mysql

import (
	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// maxResultBytes bounds what one query through the API holds in memory.
	maxResultBytes = 64 << 20
	// What a row and a value cost beside their bytes, about.
	rowOverhead   = 48
	valueOverhead = 24
)

// rawResult is the text form of the last statement's result.
type rawResult struct {
	limits  workspace.Limits
	stop    func(cause error)
	refusal *workspace.Error // why the rows can't be given; the first reason stays

	fields   []*gomysql.Field
	rows     [][][]byte
	bytes    int
	affected uint64
	open     bool // the statement's rows are arriving
}

// begin starts a result with rows; it forgets the one before.
func (r *rawResult) begin(fields []*gomysql.Field) {
	r.fields, r.rows, r.bytes, r.open = fields, nil, 0, true
}

// add keeps a row, nil for one that is too long to be read.
func (r *rawResult) add(row [][]byte) {
	if r.refusal != nil {
		return
	}
	if r.limits.MaxRows > 0 && int64(len(r.rows)) >= r.limits.MaxRows {
		r.refuse(refusal(tooBigSelect, "42000", "%s", r.limits.TooManyRows()))
		return
	}
	size := rowOverhead + valueOverhead*len(row)
	for _, v := range row {
		size += len(v)
	}
	if r.bytes += size; r.bytes > maxResultBytes || row == nil {
		r.refuse(refusal(netPacketTooBig, "08S01", "result is larger than %d MiB, the most that the API returns; select fewer rows or columns, or connect with a MySQL client", maxResultBytes>>20))
		return
	}
	r.rows = append(r.rows, row)
}

// refuse notes why the query can't be answered and cancels it.
func (r *rawResult) refuse(why *workspace.Error) {
	r.refusal, r.rows = why, nil
	r.stop(why)
}

// done ends a statement. One without rows replaces what an earlier one gave.
func (r *rawResult) done(affected uint64) {
	if !r.open {
		r.fields, r.rows, r.bytes = nil, nil, 0
	}
	r.affected, r.open = affected, false
}

func (r *rawResult) skip() bool { return r.refusal != nil }

// decode turns the text into the contract's JSON types.
func (r *rawResult) decode(z zone) workspace.Result {
	result := workspace.Result{Columns: make([]string, 0, len(r.fields)), Rows: make([][]any, 0, len(r.rows)), Bytes: int64(r.bytes)}
	if r.fields == nil {
		affected := int64(r.affected)
		result.RowsAffected = &affected
		return result
	}
	decoders := make([]decoder, len(r.fields))
	for i, f := range r.fields {
		result.Columns = append(result.Columns, string(f.Name))
		decoders[i] = decoderOf(f, z)
	}
	for n, raw := range r.rows {
		row := make([]any, len(raw))
		for i, text := range raw {
			if text != nil {
				row[i] = decoders[i](text)
			}
		}
		result.Rows = append(result.Rows, row)
		r.rows[n] = nil // both forms at once would double the memory
	}
	result.RowCount = int64(len(result.Rows))
	return result
}
