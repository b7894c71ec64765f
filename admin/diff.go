package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) diffRoutes() []route {
	return []route{
		{http.MethodGet, "/workspaces/{id}/diff", reader, "read deploy queue", a.getDiff},
		{http.MethodDelete, "/workspaces/{id}/diff/{ddl_id}", writer, "skip change", a.skipChange},
		{http.MethodPost, "/workspaces/{id}/diff/{ddl_id}/revert", writer, "revert change", a.revertChange},
	}
}

// pendingChange is one entry of the deploy queue.
type pendingChange struct {
	ID            int64                  `json:"id"`
	Version       int64                  `json:"version"`
	DDL           string                 `json:"ddl"`
	Command       string                 `json:"command,omitempty"` // as it is kept, where that is not how it is shown
	Database      workspace.DatabaseType `json:"database"`
	Operation     string                 `json:"operation"`
	ObjectType    string                 `json:"object_type"`
	Object        string                 `json:"object"`
	Reversible    bool                   `json:"reversible"`
	Reverse       *string                `json:"reverse"`                  // null where there is none
	NotReversible string                 `json:"not_reversible,omitempty"` // why there is none
	Source        string                 `json:"source"`
	Session       map[string]string      `json:"session"`
	Status        string                 `json:"status"`
	Warnings      []string               `json:"warnings"`
	CreatedAt     string                 `json:"created_at"`
}

// getDiff serves GET /workspaces/{id}/diff.
func (a *api) getDiff(x *exchange) error {
	w, err := a.service.Settings(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	queue, err := a.service.Pending(x.r.Context(), x.principal, x.workspace)
	if err != nil {
		return err
	}
	pending := make([]pendingChange, len(queue.Pending))
	for i, e := range queue.Pending {
		pending[i] = pendingOf(w.Type, e)
	}
	return x.ok(&struct {
		envelope
		Workspace string          `json:"workspace"`
		Blueprint string          `json:"blueprint"`
		Version   int64           `json:"version"`
		Count     int             `json:"count"`
		Pending   []pendingChange `json:"pending"`
	}{
		Workspace: queue.Workspace,
		Blueprint: queue.Workspace,
		Version:   queue.Version,
		Count:     len(pending),
		Pending:   pending,
	})
}

func pendingOf(database workspace.DatabaseType, e workspace.Entry) pendingChange {
	p := pendingChange{
		ID:         e.ID,
		Version:    e.Version,
		DDL:        e.Statement,
		Command:    e.Kept,
		Database:   database,
		Operation:  e.Operation,
		ObjectType: e.ObjectType,
		Object:     e.Object,
		Reversible: e.Reversible,
		Source:     e.Source,
		Session:    e.Session,
		Status:     e.Status,
		Warnings:   orEmpty(e.Warnings),
		CreatedAt:  utc(e.At),
	}
	if p.Session == nil {
		p.Session = map[string]string{}
	}
	if e.Reversible {
		p.Reverse = &e.Reverse
	} else {
		p.NotReversible = e.WhyNot
	}
	return p
}

// message is an answer that is one sentence.
type message struct {
	envelope
	Message string `json:"message"`
}

// skipChange serves DELETE /workspaces/{id}/diff/{ddl_id}.
func (a *api) skipChange(x *exchange) error {
	id, err := x.ddlID()
	if err != nil {
		return err
	}
	if err := a.service.Skip(x.r.Context(), x.principal, x.workspace, id); err != nil {
		return err
	}
	return x.ok(&message{Message: fmt.Sprintf("DDL %d removed from deploy queue", id)})
}

// revertChange serves POST /workspaces/{id}/diff/{ddl_id}/revert.
func (a *api) revertChange(x *exchange) error {
	id, err := x.ddlID()
	if err != nil {
		return err
	}
	reverse, err := a.service.Revert(x.r.Context(), x.principal, x.workspace, id)
	if err != nil {
		return err
	}
	return x.ok(&message{Message: "Reverted: " + reverse})
}

// ddlID is the path's id of a queue entry. What is not a number is the id of
// no entry.
func (x *exchange) ddlID() (int64, error) {
	id, err := strconv.ParseInt(x.vars["ddl_id"], 10, 64)
	if err != nil {
		return 0, workspace.Errorf(workspace.NotFound, "DDL not found in the deploy queue: %s", clip(x.vars["ddl_id"]))
	}
	x.note(slog.Int64("ddl_id", id))
	return id, nil
}
