package admin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// forgetful has the methods that a good request may reach, as if all were well.
func forgetful(f *fixture) {
	f.service.list = func() ([]workspace.Workspace, error) { return nil, nil }
}

func TestKeyIsNeededBeforeAnythingIsRevealed(t *testing.T) {
	f := newFixture(t)
	requests := []*http.Request{
		httptest.NewRequest("GET", "/nope", nil),
		httptest.NewRequest("PUT", "/workspaces", nil),
		httptest.NewRequest("OPTIONS", "/workspaces", nil),
		httptest.NewRequest("POST", "/workspaces", strings.NewReader("not json")),
	}
	for _, rt := range keyed(f) {
		requests = append(requests, httptest.NewRequest(rt.method, pathFor(rt), nil))
	}
	for i, r := range requests {
		got := f.send(t, r).want(http.StatusUnauthorized, "auth_required").says("Authorization: Bearer")
		if got.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s: no WWW-Authenticate", r.Method, r.URL.Path)
		}
		if i > 0 {
			continue
		}
		r.Header.Set("Authorization", "Bearer wrong")
		f.send(t, r).want(http.StatusUnauthorized, "unauthorized")
	}
}

func TestOpenRoutesNeedNoKey(t *testing.T) {
	f := newFixture(t)
	f.service.ready = noChecks
	f.api.exporter = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("m 1\n"))
	})
	for _, path := range []string{"/", "/health", "/ready", "/metrics", "/openapi.json"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer wrong")
		if got := f.send(t, r); got.Code != http.StatusOK {
			t.Errorf("%s: got %d, want 200", path, got.Code)
		}
	}
}

func TestKeyIsReadFromBothHeaders(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		status int
	}{
		{"bearer", http.Header{"Authorization": {"Bearer " + rightKey}}, 200},
		{"bearer in another case", http.Header{"Authorization": {"bearer  " + rightKey}}, 200},
		{"X-API-Key", http.Header{"X-Api-Key": {rightKey}}, 200},
		{"X-API-Key beside basic", http.Header{"X-Api-Key": {rightKey}, "Authorization": {"Basic eDp5"}}, 200},
		{"wrong bearer is not healed by X-API-Key", http.Header{"X-Api-Key": {rightKey}, "Authorization": {"Bearer wrong"}}, 401},
		{"basic", http.Header{"Authorization": {"Basic " + rightKey}}, 401},
		{"no scheme", http.Header{"Authorization": {rightKey}}, 401},
		{"empty bearer", http.Header{"Authorization": {"Bearer "}}, 401},
		{"one byte more", http.Header{"Authorization": {"Bearer " + rightKey + "x"}}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			forgetful(f)
			r := httptest.NewRequest("GET", "/workspaces", nil)
			r.Header = tt.header
			if got := f.send(t, r); got.Code != tt.status {
				t.Errorf("got %d, want %d\n%s", got.Code, tt.status, got.Body)
			}
		})
	}
}

func TestOverlongKeyIsNotLookedUp(t *testing.T) {
	f := newFixture(t)
	f.service.authenticate = func(string) (workspace.Principal, error) {
		t.Error("looked up")
		return workspace.Principal{}, nil
	}
	r := httptest.NewRequest("GET", "/workspaces", nil)
	r.Header.Set("X-API-Key", strings.Repeat("k", longestKey+1))
	f.send(t, r).want(http.StatusUnauthorized, "unauthorized")
}

func TestAuthenticationThatCanNotBeDoneIsUnavailable(t *testing.T) {
	f := newFixture(t)
	f.service.authenticate = func(string) (workspace.Principal, error) {
		return workspace.Principal{}, workspace.Errorf(workspace.Unavailable, "the metadata store can't be reached")
	}
	f.call(t, "GET", "/workspaces", "").want(http.StatusServiceUnavailable, "unavailable")
}

func TestRoleIsCheckedOnEveryRoute(t *testing.T) {
	served := workspace.Errorf(workspace.Conflict, "reached the service")
	for name, have := range map[string]role{"read": reader, "write": writer, "admin": administrator, "": anyone, "root": anyone} {
		f := newFixture(t)
		failing(f, served)
		f.service.authenticate = func(string) (workspace.Principal, error) {
			return workspace.Principal{KeyID: "key_1", Role: name}, nil
		}
		for _, rt := range keyed(f) {
			got := f.call(t, rt.method, pathFor(rt), bodyFor(rt))
			if have >= rt.least {
				got.want(http.StatusConflict, "conflict")
			} else {
				got.want(http.StatusForbidden, "forbidden").says("it needs the role " + rt.least.String())
			}
		}
	}
}
