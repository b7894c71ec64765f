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
	switch {
	case strings.TrimSpace(text) == "":
		return badRequest("field \"query\" is empty")
	case strings.ContainsRune(text, 0):
		// Wire protocols end a text at a NUL: the rest would be lost unseen.
		return badRequest("field \"query\" contains a NUL character")
	}
	result, err := a.service.Query(x.r.Context(), x.principal, x.workspace, text)
	if err != nil {
		return err
	}
	return x.stream(result)
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

// stream answers with a query's result. It holds the text of one row at a time
// and a buffer, never that of the whole result.
func (x *exchange) stream(result workspace.Result) error {
	x.code = "ok"
	head, err := encode(queryHead{
		envelope: envelope{Success: true, HTTPStatus: http.StatusOK, Code: x.code},
		Columns:  orEmpty(result.Columns),
	})
	if err != nil {
		return fmt.Errorf("encode columns: %w", err)
	}
	tail, err := encode(queryTail{
		RowCount:      result.RowCount,
		RowsAffected:  result.RowsAffected,
		ExecutionTime: milliseconds(result.Elapsed),
	})
	if err != nil {
		return fmt.Errorf("encode end of result: %w", err)
	}

	x.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(x, 64<<10)
	// Head and tail become one object, with the rows between them. A
	// bufio.Writer keeps its first error for Flush.
	_, _ = out.Write(bytes.TrimSuffix(head, []byte("}\n")))
	_, _ = out.WriteString(`,"rows":[`)
	if err := writeRows(out, result.Rows); err != nil {
		return err
	}
	_, _ = out.WriteString("],")
	_, _ = out.Write(bytes.TrimPrefix(tail, []byte("{")))
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
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
