package postgres

import (
	"context"
	"errors"
	"testing"
	"time"
)

// told asserts that the session ended with that FATAL error.
func (w *wire) told(code string) {
	w.t.Helper()
	all := w.rest()
	if len(all) == 0 {
		w.t.Errorf("got nothing, want FATAL %s", code)
		return
	}
	if m := all[len(all)-1]; m.typ != 'E' || m.field('C') != code || m.field('S') != "FATAL" {
		w.t.Errorf("got %v, want FATAL %s", m, code)
	}
}

func TestDrainTellsEachSessionAfterItsStatement(t *testing.T) {
	w := newWorld(t)
	idle, inBlock, busy, pipeline := rawWire(t, w.connect(t)), rawWire(t, w.connect(t)), rawWire(t, w.connect(t)), rawWire(t, w.connect(t))
	inBlock.send(query("begin"))
	inBlock.until(1)
	busy.send(query("select pg_sleep(10)"))
	pipeline.send(extended("select pg_sleep(10) as pipelined", 0), syncFrame())
	awaitRunning(t, w, "select pg_sleep(10)")
	awaitRunning(t, w, "%pipelined%")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- w.server.Shutdown(ctx) }()
	idle.told(codeAdminShutdown)
	inBlock.told(codeAdminShutdown)
	awaitRunning(t, w, "select pg_sleep(10)") // the idle ones did not wait for it
	if got := types(busy.until(1)); got != "TDCZ" {
		t.Errorf("busy session: got %s, want its result", got)
	}
	busy.told(codeAdminShutdown)
	if got := types(pipeline.until(1)); got != "12DCZ" {
		t.Errorf("pipeline: got %s, want its result", got)
	}
	pipeline.told(codeAdminShutdown)
	if err := <-drained; err != nil {
		t.Errorf("shutdown: got %v, want nil", err)
	}
}

func TestDrainCutsStuckSessions(t *testing.T) {
	w := newWorld(t)
	stuck, copier := rawWire(t, w.connect(t)), rawWire(t, w.connect(t))
	copier.send(query("create temp table t(id int)"))
	copier.until(1)
	copier.send(query("copy t from stdin"))
	copier.untilType('G', 1)
	stuck.send(query("select pg_sleep(60)"))
	awaitRunning(t, w, "select pg_sleep(60)")
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := w.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: got %v, want that its time was over", err)
	}
	stuck.told(codeAdminShutdown)
	copier.told(codeAdminShutdown)
}

func TestDeletedWorkspacesCloseTheirSessions(t *testing.T) {
	w := newWorld(t)
	idle, busy := rawWire(t, w.connect(t)), rawWire(t, w.connect(t))
	busy.send(query("select pg_sleep(60)"))
	awaitRunning(t, w, "select pg_sleep(60)")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w.server.CloseWorkspace(ctx, w.live.ID)
	idle.told(codeDatabaseDropped)
	busy.told(codeDatabaseDropped)
}
