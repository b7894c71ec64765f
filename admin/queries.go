package admin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) queryRoutes() []route {
	return []route{
		{http.MethodPost, "/workspaces/{id}/queries", writer, "run query", a.runQuery},
		{http.MethodPost, "/workspaces/{id}/query", writer, "run query", a.runQuery},
	}
}

// runQuery serves POST /workspaces/{id}/queries and its alias /query.
func (a *api) runQuery(x *exchange) error {
	var text string
	if err := x.decode(mostQuery, field{name: "query", into: &text}); err != nil {
		return err
	}
	if err := runnable(text); err != nil {
		return err
	}
	result, err := a.service.Query(x.r.Context(), x.principal, x.workspace, text)
	if err != nil {
		return err
	}
	return x.stream(result)
}

// runnable refuses a text that is no query.
func runnable(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return badRequest("field \"query\" is empty")
	case strings.ContainsRune(text, 0):
		// Wire protocols end a text at a NUL: the rest would be lost unseen.
		return badRequest("field \"query\" contains a NUL character")
	}
	return nil
}

// queryHead and queryTail are what stands before and after the rows.
type (
	queryHead struct {
		envelope
		Columns []string `json:"columns"`
	}
	queryTail struct {
		RowCount      int64  `json:"row_count"`
		RowsAffected  *int64 `json:"rows_affected,omitempty"`
		ExecutionTime string `json:"execution_time"`
	}
)

// stream answers with a query's result.
func (x *exchange) stream(result workspace.Result) error {
	x.code = "ok"
	head := queryHead{
		envelope: envelope{Success: true, HTTPStatus: http.StatusOK, Code: x.code},
		Columns:  orEmpty(result.Columns),
	}
	tail := queryTail{
		RowCount:      result.RowCount,
		RowsAffected:  result.RowsAffected,
		ExecutionTime: milliseconds(result.Elapsed),
	}
	return x.streamed(func(out *bufio.Writer) error {
		return writeAround(out, head, "rows", func() error { return writeRows(out, result.Rows) }, tail)
	})
}

// streamed answers with what write writes. It holds the text of one row at a
// time and a buffer, never that of the whole answer.
func (x *exchange) streamed(write func(*bufio.Writer) error) error {
	x.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(x, 64<<10)
	if err := write(out); err != nil {
		return err
	}
	_ = out.WriteByte('\n') // a bufio.Writer keeps its first error for Flush
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// writeAround writes one object of the keys of head, an array of that name whose
// elements the function writes, and the keys of tail. A bufio.Writer keeps its
// first error for Flush.
func writeAround(out *bufio.Writer, head any, array string, elements func() error, tail any) error {
	first, err := encode(head)
	if err != nil {
		return fmt.Errorf("encode what stands before the %s: %w", array, err)
	}
	last, err := encode(tail)
	if err != nil {
		return fmt.Errorf("encode what stands behind the %s: %w", array, err)
	}
	_, _ = out.Write(bytes.TrimSuffix(first, []byte("}\n")))
	_, _ = out.WriteString(`,"` + array + `":[`)
	if err := elements(); err != nil {
		return err
	}
	_, _ = out.WriteString("],")
	_, _ = out.Write(bytes.TrimSuffix(bytes.TrimPrefix(last, []byte("{")), []byte("\n")))
	return nil
}

func writeRows(out io.Writer, rows [][]any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for i, row := range rows {
		if i > 0 {
			if _, err := io.WriteString(out, ","); err != nil {
				return fmt.Errorf("write row %d: %w", i+1, err)
			}
		}
		if err := e.Encode(row); err != nil {
			return fmt.Errorf("encode row %d: %w", i+1, err)
		}
	}
	return nil
}
