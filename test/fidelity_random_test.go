package test

import (
	"math/rand/v2"
	"regexp"
	"sync"
	"testing"
)

const (
	randomSessions = 5
	randomUnits    = 60 // of each session
)

// Sessions at once build, rename and drop the same few objects, with failures
// and rollbacks of every kind; the queue is what they committed, in an order
// that can be run again, one version for each committed unit.
func TestReplayOfTheQueueRebuildsWhatRandomSessionsDid(t *testing.T) {
	seed := testSeed(t)
	source := unlimited(t, "random")
	source.psql(t, `
		CREATE SCHEMA other;
		CREATE FUNCTION make(name text, unit text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			EXECUTE format('CREATE TABLE %I (id int /* %s */)', name, unit);
			EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'made by ' || unit);
		END $$;
		CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';`)
	sessions := make([]*randomSession, randomSessions)
	for i := range sessions {
		sessions[i] = &randomSession{
			number: i, random: rand.New(rand.NewPCG(seed, uint64(i))), conn: source.connect(t),
		}
		mustExec(t, sessions[i].conn, "SET lock_timeout = '500ms'")
	}
	var running sync.WaitGroup
	for _, s := range sessions {
		running.Go(s.run)
	}
	running.Wait()
	committed := map[string]bool{}
	for _, s := range sessions {
		if s.broken != nil {
			t.Fatalf("session %d: %v", s.number, s.broken)
		}
		for _, unit := range s.committed {
			committed[unit] = true
		}
	}
	mustBeOneVersionAUnit(t, source.queue(t), committed)
	mustRebuild(t, source)
}

var unitMark = regexp.MustCompile(`unit_\d+_\d+_`)

// mustBeOneVersionAUnit checks that versions count up from 1 without a gap,
// that each holds the whole of one unit, and that the unit was committed.
func mustBeOneVersionAUnit(t *testing.T, entries []entry, committed map[string]bool) {
	t.Helper()
	unitOf, versionOf := map[int64]string{}, map[string]int64{}
	var last int64
	for _, e := range entries {
		if e.Version != last && e.Version != last+1 {
			t.Errorf("entry %d has version %d after version %d", e.ID, e.Version, last)
		}
		last = e.Version
		unit := unitMark.FindString(e.DDL)
		if unit == "" {
			continue // the script that came first
		}
		if !committed[unit] {
			t.Errorf("entry %d is of %s, which was not committed: %s", e.ID, unit, e.DDL)
		}
		if other, known := unitOf[e.Version]; known && other != unit {
			t.Errorf("version %d holds %s and %s", e.Version, other, unit)
		}
		if other, known := versionOf[unit]; known && other != e.Version {
			t.Errorf("%s is in versions %d and %d", unit, other, e.Version)
		}
		unitOf[e.Version], versionOf[unit] = unit, e.Version
	}
	if len(unitOf) < randomSessions*randomUnits/10 {
		t.Errorf("only %d units changed the schema: the test tries too little", len(unitOf))
	}
}
