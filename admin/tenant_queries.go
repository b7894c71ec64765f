package admin

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) tenantQueryRoutes() []route {
	return []route{
		{http.MethodPost, "/admin/query", writer, "query tenants", a.queryTenants},
	}
}

// queryTenants serves POST /admin/query: a query in the database of one tenant,
// or in those of all tenants of a blueprint.
func (a *api) queryTenants(x *exchange) error {
	asked, err := x.tenantQuery()
	if err != nil {
		return err
	}
	began := a.now()
	results, err := a.service.QueryTenants(x.r.Context(), x.principal, asked)
	if err != nil {
		return err
	}
	if asked.All {
		return a.streamAll(x, results, a.now().Sub(began))
	}
	if len(results) != 1 {
		return fmt.Errorf("query tenant %s: got %d results", asked.Tenant, len(results))
	}
	if err := results[0].Err; err != nil {
		return err
	}
	return x.stream(results[0].Result)
}

// tenantQuery reads what queryTenants is asked for.
func (x *exchange) tenantQuery() (asked workspace.TenantQuery, err error) {
	err = x.decode(mostQuery,
		field{name: "blueprint", into: &asked.Blueprint},
		field{name: "query", into: &asked.Text},
		field{name: "tenant_id", into: &asked.Tenant, optional: true},
		field{name: "all_tenants", into: &asked.All, optional: true},
	)
	if err != nil {
		return asked, err
	}
	x.note(slog.String("blueprint", shorten(asked.Blueprint)))
	if asked.All {
		x.note(slog.Bool("all_tenants", true))
	} else {
		x.note(slog.String("tenant", shorten(asked.Tenant)))
	}
	return asked, runnable(asked.Text)
}

// tenantHead and tenantTail are what stands before and after the rows of one
// tenant.
type (
	tenantHead struct {
		TenantID string   `json:"tenant_id"`
		Columns  []string `json:"columns"`
	}
	tenantTail struct {
		RowCount     int64  `json:"row_count"`
		RowsAffected *int64 `json:"rows_affected,omitempty"`
		Error        string `json:"error,omitempty"`
	}
)

// streamAll answers with the results of all tenants, as stream does with one.
func (a *api) streamAll(x *exchange, results []workspace.TenantResult, took time.Duration) error {
	x.code = "ok"
	head := envelope{Success: true, HTTPStatus: http.StatusOK, Code: x.code}
	tail := struct {
		TotalTenants  int    `json:"total_tenants"`
		ExecutionTime string `json:"execution_time"`
	}{TotalTenants: len(results), ExecutionTime: milliseconds(took)}
	return x.streamed(func(out *bufio.Writer) error {
		return writeAround(out, head, "results", func() error { return a.writeTenants(x, out, results) }, tail)
	})
}

func (a *api) writeTenants(x *exchange, out *bufio.Writer, results []workspace.TenantResult) error {
	for i, r := range results {
		if i > 0 {
			_ = out.WriteByte(',') // a bufio.Writer keeps its first error for Flush
		}
		if err := a.writeTenant(x, out, r); err != nil {
			return fmt.Errorf("tenant %s: %w", r.Tenant, err)
		}
	}
	return nil
}

// writeTenant writes one tenant's result, or what went wrong for it.
func (a *api) writeTenant(x *exchange, out *bufio.Writer, r workspace.TenantResult) error {
	tail := tenantTail{RowCount: r.Result.RowCount, RowsAffected: r.Result.RowsAffected}
	if r.Err != nil {
		told, _ := a.tell(x, r.Err)
		tail.Error = told.text
	}
	return writeAround(out, tenantHead{TenantID: r.Tenant, Columns: orEmpty(r.Result.Columns)}, "rows", func() error {
		return writeRows(out, r.Result.Rows)
	}, tail)
}
