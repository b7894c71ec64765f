package mongodb

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/engine/mongodb/shell"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Columns for what is no document.
const (
	resultColumn = "result"
	outputColumn = "output"
)

// exactInteger is the greatest up to which every JSON reader keeps integers.
const exactInteger = 1 << 53

// result is what a script came to: the documents of a list are rows, a document
// is one row, other values stand in a column of their own. A script that only
// prints gives what it printed.
func (r *runner) result(o shell.Outcome) (workspace.Result, error) {
	var values []bson.RawValue
	switch {
	case o.None && len(o.Output) > 0:
		return printed(o.Output), nil
	case o.None, !o.List && o.Value.Type == bson.TypeNull:
	case o.List:
		list, err := o.Value.Array().Values()
		if err != nil {
			return workspace.Result{}, fmt.Errorf("read result: %w", err)
		}
		values = list
	default:
		values = []bson.RawValue{o.Value}
	}
	if r.limits.MaxRows > 0 && int64(len(values)) > r.limits.MaxRows {
		return workspace.Result{}, rowLimitError(r.limits)
	}
	result, err := rowsOf(values)
	result.RowsAffected = o.Affected
	return result, err
}

func printed(lines []string) workspace.Result {
	result := workspace.Result{Columns: []string{outputColumn}, RowCount: int64(len(lines))}
	for _, line := range lines {
		result.Rows = append(result.Rows, []any{line})
	}
	return result
}

// rowsOf makes rows: the columns are the documents' top-level fields in the
// order in which they first appear; what a document lacks is null.
func rowsOf(values []bson.RawValue) (workspace.Result, error) {
	result := workspace.Result{Columns: []string{}, Rows: make([][]any, 0, len(values)), RowCount: int64(len(values))}
	at := map[string]int{}
	column := func(name string) int {
		i, known := at[name]
		if !known {
			i = len(result.Columns)
			at[name] = i
			result.Columns = append(result.Columns, name)
		}
		return i
	}
	for _, v := range values {
		var row []any
		set := func(name string, v bson.RawValue) error {
			i := column(name)
			for len(row) <= i {
				row = append(row, nil)
			}
			cell, err := cellOf(v)
			row[i] = cell
			return err
		}
		if err := eachField(v, set); err != nil {
			return workspace.Result{}, fmt.Errorf("read result: %w", err)
		}
		result.Rows = append(result.Rows, row)
	}
	for i, row := range result.Rows {
		for len(row) < len(result.Columns) {
			row = append(row, nil)
		}
		result.Rows[i] = row
	}
	return result, nil
}

// eachField calls set for each field of a document, or once for another value.
func eachField(v bson.RawValue, set func(string, bson.RawValue) error) error {
	if v.Type != bson.TypeEmbeddedDocument {
		return set(resultColumn, v)
	}
	elements, err := v.Document().Elements()
	if err != nil {
		return err
	}
	for _, e := range elements {
		if err := set(e.Key(), e.Value()); err != nil {
			return err
		}
	}
	return nil
}

// cellOf is a value in the contract's JSON types; what these have no word for
// is relaxed Extended JSON.
func cellOf(v bson.RawValue) (any, error) {
	switch v.Type {
	case bson.TypeNull, bson.TypeUndefined:
		return nil, nil
	case bson.TypeString:
		return v.StringValue(), nil
	case bson.TypeBoolean:
		return v.Boolean(), nil
	case bson.TypeInt32:
		return v.Int32(), nil
	case bson.TypeInt64:
		if n := v.Int64(); n > exactInteger || n < -exactInteger {
			return strconv.FormatInt(n, 10), nil
		}
		return v.Int64(), nil
	case bson.TypeDecimal128:
		return v.Decimal128().String(), nil
	case bson.TypeDouble:
		if f := v.Double(); math.IsNaN(f) || math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'g', -1, 64), nil
		}
		return v.Double(), nil
	case bson.TypeDateTime:
		if at := time.UnixMilli(v.DateTime()).UTC(); at.Year() >= 0 && at.Year() <= 9999 {
			return at.Format("2006-01-02T15:04:05.999Z07:00"), nil
		}
	}
	text, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v}}, false, false)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(strings.TrimSuffix(strings.TrimPrefix(string(text), `{"v":`), "}")), nil
}

// batchOf are the documents of a reply that has a cursor.
func batchOf(reply bson.Raw) (documents []bson.RawValue, ns string, id int64, is bool) {
	cursor, ok := reply.Lookup("cursor").DocumentOK()
	if !ok {
		return nil, "", 0, false
	}
	for _, name := range []string{"firstBatch", "nextBatch"} {
		batch, ok := cursor.Lookup(name).ArrayOK()
		if !ok {
			continue
		}
		// A reply that the driver took is sound.
		documents, _ = batch.Values()
		is = true
	}
	ns, _ = cursor.Lookup("ns").StringValueOK()
	id, _ = cursor.Lookup("id").AsInt64OK()
	return documents, ns, id, is
}

// writeFailure is the first thing that the server refused of a write.
func writeFailure(reply bson.Raw) *shell.Failure {
	for _, path := range [][]string{{"writeErrors", "0"}, {"writeConcernError"}} {
		failed, ok := reply.Lookup(path...).DocumentOK()
		if !ok {
			continue
		}
		f := &shell.Failure{}
		f.Message, _ = failed.Lookup("errmsg").StringValueOK()
		n, _ := failed.Lookup("code").AsInt64OK()
		f.Code = int32(n)
		f.CodeName, _ = failed.Lookup("codeName").StringValueOK()
		return f
	}
	return nil
}

// affectedBy is how many documents a write command changed; nil for what is no
// write.
func affectedBy(command bson.D, reply bson.Raw) *int64 {
	if !slices.Contains([]string{"insert", "update", "delete"}, command[0].Key) {
		return nil
	}
	n, _ := reply.Lookup("n").AsInt64OK()
	if command[0].Key == "update" {
		n, _ = reply.Lookup("nModified").AsInt64OK()
		if upserted, ok := reply.Lookup("upserted").ArrayOK(); ok {
			values, _ := upserted.Values()
			n += int64(len(values))
		}
	}
	return &n
}
