package workspace_test

import (
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestQueriesTakeConnectionsOfTheWorkspace: those of clients and those of the
// API come out of one number.
func TestQueriesTakeConnectionsOfTheWorkspace(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	_, err := s.UpdateSettings(t.Context(), p, "shop", decoded(t, `{"max_connections": 2}`))
	must(t, err)
	login, err := s.Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, "shop_workspace")
	must(t, err)
	live := login.Route.Live
	if !live.Enter() { // a client's session
		t.Fatal("no connection is free")
	}
	running, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	i.faults.on("query", func() { close(running); <-goOn })
	go func() {
		_, err := s.Query(t.Context(), p, "shop", "SELECT 1")
		ended <- err
	}()
	<-running
	i.faults.on("query", func() {})
	if live.Enter() {
		t.Error("a session gets in beyond the limit")
	}
	_, err = s.Query(t.Context(), p, "shop", "SELECT 2")
	refused(t, err, workspace.RateLimited, "max_connections limit of 2")
	close(goOn)
	must(t, <-ended)
	_, err = s.Query(t.Context(), p, "shop", "SELECT 3")
	must(t, err)
}
