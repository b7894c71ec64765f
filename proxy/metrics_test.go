package proxy

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Each metric moves when what it is about happens, and by that alone.
func TestMetricsCountWhatHappens(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := newWorld(t, 2, func(w *world) { w.Server.metrics = NewMetrics(registry) })
	awaitMetrics := func(what string, want string) {
		t.Helper()
		var wrong error
		defer func() {
			if t.Failed() && wrong != nil {
				t.Logf("%s: %v", what, wrong)
			}
		}()
		await(t, what, func() bool {
			wrong = testutil.GatherAndCompare(registry, strings.NewReader(strings.TrimSpace(want)+"\n"))
			return wrong == nil
		})
	}

	stays, leaves := w.enter(t, "shop"), w.enter(t, "shop")
	if _, answer := w.login(t, "shop"); answer != "refused full" {
		t.Fatalf("beyond the limit: got %q", answer)
	}
	leaves.conn.Close()
	await(t, "the slot is back", func() bool { return w.held() == 1 })
	w.enter(t, "shop").say("panic")
	await(t, "the slot is back", func() bool { return w.held() == 1 })
	if _, answer := w.login(t, "nobody"); answer != "unknown" {
		t.Fatalf("an unknown workspace: got %q", answer)
	}
	w.fake.mu.Lock()
	w.fake.connect = func(context.Context) error { return errors.New("the server is down") }
	w.fake.mu.Unlock()
	w.login(t, "blog")
	awaitMetrics("all was counted", `
# HELP tenantsdb_connections_accepted_total Connections accepted.
# TYPE tenantsdb_connections_accepted_total counter
tenantsdb_connections_accepted_total{protocol="fake"} 6
# HELP tenantsdb_connections_failed_total Connections that did not become sessions, by kind: accept, crowded, handshake, connect, panic.
# TYPE tenantsdb_connections_failed_total counter
tenantsdb_connections_failed_total{kind="connect",protocol="fake"} 1
tenantsdb_connections_failed_total{kind="handshake",protocol="fake"} 1
tenantsdb_connections_failed_total{kind="panic",protocol="fake"} 1
# HELP tenantsdb_relayed_bytes_total Bytes relayed by ended sessions, by direction: in (from clients), out.
# TYPE tenantsdb_relayed_bytes_total counter
tenantsdb_relayed_bytes_total{direction="in",protocol="fake"} 2
tenantsdb_relayed_bytes_total{direction="out",protocol="fake"} 4
# HELP tenantsdb_sessions_open Sessions open now.
# TYPE tenantsdb_sessions_open gauge
tenantsdb_sessions_open{protocol="fake"} 1
# HELP tenantsdb_sessions_refused_total Authenticated sessions refused, by reason.
# TYPE tenantsdb_sessions_refused_total counter
tenantsdb_sessions_refused_total{protocol="fake",reason="full"} 1
# HELP tenantsdb_sessions_total Sessions started.
# TYPE tenantsdb_sessions_total counter
tenantsdb_sessions_total{protocol="fake"} 3
`)
	stays.conn.Close()
	await(t, "no session is open", func() bool { return testutil.ToFloat64(w.metrics.open.WithLabelValues("fake")) == 0 })
}
