package postgres

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const deadlock = "40P01"

// randomDDL makes transactions of random schema changes, most of which work.
// All sessions use the same few names, so that they meet.
type randomDDL struct{ *rand.Rand }

func (r randomDDL) table() string  { return fmt.Sprintf("t%d", r.IntN(20)) }
func (r randomDDL) column() string { return fmt.Sprintf("c%d", r.IntN(5)) }
func (r randomDDL) number() int    { return r.IntN(12) }

func (r randomDDL) statement() string {
	t, c, n := r.table(), r.column(), r.number()
	choices := []string{
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (id serial PRIMARY KEY, %s text DEFAULT 'a;b')", t, c),
		fmt.Sprintf("CREATE TABLE %s (id int, %s int CHECK (%s > %d))", t, c, c, n),
		fmt.Sprintf("CREATE TABLE %s AS SELECT %d AS %s, 'x'::varchar(%d) AS v", t, n, c, n+1),
		fmt.Sprintf("DROP TABLE IF EXISTS %s CASCADE", t),
		fmt.Sprintf("ALTER TABLE IF EXISTS %s ADD COLUMN IF NOT EXISTS %s bigint", t, c),
		fmt.Sprintf("ALTER TABLE IF EXISTS %s ADD COLUMN IF NOT EXISTS %s int DEFAULT %d", t, c, n),
		fmt.Sprintf("ALTER TABLE IF EXISTS %s DROP COLUMN IF EXISTS %s CASCADE", t, c),
		fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", t, c, r.column()),
		fmt.Sprintf("ALTER TABLE IF EXISTS %s RENAME TO %s", t, r.table()),
		fmt.Sprintf("CREATE INDEX ON %s (%s)", t, c),
		fmt.Sprintf("CREATE INDEX IF NOT EXISTS i%d ON %s (%s)", n, t, c),
		fmt.Sprintf("DROP INDEX IF EXISTS i%d", n),
		fmt.Sprintf("CREATE OR REPLACE VIEW v%d AS SELECT * FROM %s", n%3, t),
		fmt.Sprintf("DROP VIEW IF EXISTS v%d CASCADE", n%3),
		fmt.Sprintf("COMMENT ON TABLE %s IS 'number; %d'", t, n),
		fmt.Sprintf("GRANT SELECT ON %s TO PUBLIC", t),
		fmt.Sprintf("CREATE OR REPLACE FUNCTION f%d() RETURNS int LANGUAGE sql AS 'SELECT %d; SELECT 1'", n%4, n),
		fmt.Sprintf("DROP FUNCTION IF EXISTS f%d()", n%4),
		fmt.Sprintf("CREATE TYPE e%d AS ENUM ('a', 'b')", n%3),
		fmt.Sprintf("DROP TYPE IF EXISTS e%d CASCADE", n%3),
		fmt.Sprintf("DO $$ BEGIN CREATE TABLE %s (i int); EXECUTE 'CREATE INDEX ON %s (i); ALTER TABLE %s ADD %s text'; END $$", t, t, t, c),
		fmt.Sprintf("DO $$ BEGIN BEGIN CREATE TABLE gone%d (i int); RAISE 'no'; EXCEPTION WHEN OTHERS THEN NULL; END; END $$", n),
		fmt.Sprintf("CREATE TEMP TABLE IF NOT EXISTS tmp%d (i int)", n%2),
		"SELECT 'DROP TABLE t1'",
	}
	return choices[r.IntN(len(choices))]
}

// transaction is what one session sends: messages, some of several statements.
func (r randomDDL) transaction() []string {
	switch r.IntN(4) {
	case 0:
		return []string{r.statement()}
	case 1:
		return []string{r.statement() + "; " + r.statement() + ";\n-- and\n" + r.statement()}
	case 2:
		return []string{fmt.Sprintf("CREATE INDEX CONCURRENTLY IF NOT EXISTS i%d ON %s (%s)", r.number(), r.table(), r.column())}
	}
	messages := []string{"BEGIN"}
	for range 1 + r.IntN(6) {
		switch r.IntN(6) {
		case 0:
			messages = append(messages, "SAVEPOINT s; "+r.statement(), "ROLLBACK TO s")
		case 1:
			messages = append(messages, "SAVEPOINT s", r.statement()+"; "+r.statement(), "RELEASE s; "+r.statement())
		default:
			messages = append(messages, r.statement())
		}
	}
	return append(messages, []string{"COMMIT", "COMMIT", "COMMIT", "ROLLBACK"}[r.IntN(4)])
}

// play sends the messages; an error undoes the transaction, as it does for any
// client that then gives up.
func play(t *testing.T, conn *pgconn.PgConn, messages []string) {
	for _, m := range messages {
		if _, err := conn.Exec(t.Context(), m).ReadAll(); err != nil {
			break
		}
	}
	if conn.TxStatus() == 'I' {
		return
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK").ReadAll(); err != nil {
		t.Errorf("roll back: %v", err)
	}
}

// takenUntil takes what changes while the clients work, as the proxy does, and
// what is left in the end.
func takenUntil(t *testing.T, e *Engine, target workspace.Target, clients *sync.WaitGroup) []workspace.Change {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		clients.Wait()
	}()
	var all []workspace.Change
	for {
		select {
		case <-done:
			return append(all, taken(t, e, target)...)
		default:
			all = append(all, taken(t, e, target)...)
		}
	}
}

// A concurrently built index gives up its lock before it has its row; what
// waited for the lock must not get ahead of it.
func TestConcurrentIndexKeepsItsPlace(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	builder, renamer := newSession(t, target), newSession(t, target)
	const rounds = 20
	var clients sync.WaitGroup
	for i := range rounds {
		builder.run(fmt.Sprintf("CREATE TABLE t%d (a int)", i))
	}
	clients.Go(func() {
		for i := range rounds {
			// The rename may come first; then there is no index. The two may
			// also deadlock, as they do on any server.
			_, err := builder.conn.PgConn().Exec(t.Context(), fmt.Sprintf("CREATE INDEX CONCURRENTLY i%d ON t%d (a)", i, i)).ReadAll()
			if code := sqlState(err); err != nil && code != "42703" && code != deadlock {
				t.Errorf("build: %v", err)
			}
		}
	})
	clients.Go(func() {
		for i := range rounds {
			_, err := renamer.conn.PgConn().Exec(t.Context(), fmt.Sprintf("ALTER TABLE t%d RENAME COLUMN a TO b", i)).ReadAll()
			if err != nil && sqlState(err) != deadlock {
				t.Errorf("rename: %v", err)
			}
		}
	})
	wantReplay(t, e, target, takenUntil(t, e, target, &clients))
}

// journalSeed is a new seed, or the one in JOURNAL_SEED; the log names it.
func journalSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("JOURNAL_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("JOURNAL_SEED=%d", seed)
	return seed
}

// journalRounds is how much each session does, unless JOURNAL_ROUNDS says it.
func journalRounds(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("JOURNAL_ROUNDS")); err == nil {
		return n
	}
	return usual
}

// TestReplayOfRandomTransactionsRebuildsTheSchema takes its seed from
// JOURNAL_SEED, to run a failure again, and its length from JOURNAL_ROUNDS.
func TestReplayOfRandomTransactionsRebuildsTheSchema(t *testing.T) {
	seed, rounds := journalSeed(t), journalRounds(60)
	e := newEngine(t)
	target := newTracked(t, e)
	var clients sync.WaitGroup
	for i := range uint64(4) {
		s := newSession(t, target)
		s.run("SET lock_timeout = '2s'")
		clients.Go(func() {
			r := randomDDL{rand.New(rand.NewPCG(seed, i))}
			for range rounds {
				play(t, s.conn.PgConn(), r.transaction())
			}
		})
	}
	all := takenUntil(t, e, target, &clients)
	if len(all) < rounds/2 {
		t.Errorf("only %d changes in %d transactions", len(all), 4*rounds)
	}
	t.Logf("%d changes", len(all))
	wantReplay(t, e, target, all)
}
