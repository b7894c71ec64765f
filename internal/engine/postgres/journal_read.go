package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// How often and how long a reader looks whether an index is done.
const (
	indexLook = 5 * time.Millisecond
	indexWait = 10 * time.Second
)

// journalRow is one row of the journal, as journal.sql describes it.
type journalRow struct {
	ID        int64
	Unit      string // the transaction
	Message   int64
	Context   *int64
	Ordinal   int
	Tag       string
	Created   bool
	Objects   []ddltrack.Object
	Dropped   []ddltrack.Object
	Sources   []string
	Temporary []string
	Structure *string
	Settings  map[string]string
	Source    string
	At        time.Time
	Reverts   int64
	Follows   []int64 // rows with a greater id that were done before this one
}

// journal is what was committed and not yet forgotten.
type journal struct {
	rows     []journalRow
	bodies   map[int64]string
	building []building
}

// building is a session that had begun to build an index concurrently.
type building struct {
	PID  int32
	Sent time.Time
}

// readLatest is readJournal with the indexes that a failure left behind and that
// were revived since. It looks for them behind the first reading, which forgets
// the notes of commands that failed.
func readLatest(ctx context.Context, conn *pgx.Conn) (journal, error) {
	j, err := readJournal(ctx, conn)
	if err != nil {
		return journal{}, err
	}
	var revived bool
	if err := conn.QueryRow(ctx, "SELECT pg_tenantsdb.look()").Scan(&revived); err != nil {
		return journal{}, fmt.Errorf("look at broken indexes: %w", err)
	}
	if !revived {
		return j, nil
	}
	return readJournal(ctx, conn)
}

// readJournal reads rows and bodies as of one moment, at which no concurrently
// built index was between its lock and its row.
func readJournal(ctx context.Context, conn *pgx.Conn) (journal, error) {
	ctx, cancel := context.WithTimeout(ctx, indexWait)
	defer cancel()
	tick := time.NewTicker(indexLook)
	defer tick.Stop()
	// Sessions that did not run the command any more after a moment at which
	// its note was there. If it is still there at the next, they failed.
	ended := map[building]bool{}
	for {
		j, err := readMoment(ctx, conn)
		if err != nil {
			return journal{}, err
		}
		settled := true
		for _, b := range j.building {
			if ended[b] {
				noted, err := b.settle(ctx, conn)
				if err != nil {
					return journal{}, err
				}
				settled = settled && !noted
				continue
			}
			var running, locking bool
			if running, locking, err = b.state(ctx, conn); err != nil {
				return journal{}, err
			}
			// With a lock, or waiting for one, it had not given it up before.
			settled = settled && running && locking
			ended[b] = !running
		}
		if settled {
			return j, nil
		}
		select {
		case <-ctx.Done():
			return journal{}, fmt.Errorf("read journal: wait for an index: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// settle removes the note of a command that failed half-way. It says whether what
// that left behind was revived since, for which there is a row now.
func (b building) settle(ctx context.Context, conn *pgx.Conn) (noted bool, err error) {
	if err := conn.QueryRow(ctx, "SELECT pg_tenantsdb.settle($1, $2)", b.PID, b.Sent).Scan(&noted); err != nil {
		return false, fmt.Errorf("read journal: settle an index that failed: %w", err)
	}
	return noted, nil
}

// state says whether the session still runs its CREATE INDEX, and whether it
// has a lock on a table or waits for one.
func (b building) state(ctx context.Context, conn *pgx.Conn) (running, locking bool, err error) {
	err = conn.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND query_start = $2 AND state = 'active'),
		       EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND locktype = 'relation' AND mode = 'ShareUpdateExclusiveLock')`,
		b.PID, b.Sent).Scan(&running, &locking)
	if err != nil {
		return false, false, fmt.Errorf("read journal: look at an index being built: %w", err)
	}
	return running, locking, nil
}

func readMoment(ctx context.Context, conn *pgx.Conn) (journal, error) {
	var j journal
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id, xid::text, message, context, ordinal, tag, created, objects, dropped,
			       sources, temporary, structure, settings, source, at, reverts,
			       ARRAY(SELECT c.id FROM pg_tenantsdb.journal c
			              WHERE c.began IS NOT NULL AND c.id > j.id AND pg_visible_in_snapshot(c.began, j.seen))
			  FROM pg_tenantsdb.journal j ORDER BY id`)
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if j.rows, err = pgx.CollectRows(rows, pgx.RowToStructByPos[journalRow]); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if j.building, err = readBuilding(ctx, tx); err != nil || len(j.rows) == 0 {
			return err
		}
		j.bodies, err = readBodies(ctx, tx)
		return err
	})
	return j, err
}

func readBuilding(ctx context.Context, tx pgx.Tx) ([]building, error) {
	rows, err := tx.Query(ctx, "SELECT pid, sent FROM pg_tenantsdb.building")
	if err != nil {
		return nil, fmt.Errorf("read journal: find indexes being built: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[building])
	if err != nil {
		return nil, fmt.Errorf("read journal: find indexes being built: %w", err)
	}
	return list, nil
}

func readBodies(ctx context.Context, tx pgx.Tx) (map[int64]string, error) {
	rows, err := tx.Query(ctx, "SELECT id, text FROM pg_tenantsdb.body")
	if err != nil {
		return nil, fmt.Errorf("read journal's texts: %w", err)
	}
	bodies := map[int64]string{}
	var (
		id   int64
		text string
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		bodies[id] = text
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read journal's texts: %w", err)
	}
	return bodies, nil
}

// lastRows are the ids of the units' last rows.
func lastRows(rows []journalRow) map[string]int64 {
	last := map[string]int64{}
	for _, r := range rows {
		last[r.Unit] = max(last[r.Unit], r.ID)
	}
	return last
}

// inCommitOrder sorts rows by unit, units by their last command, commands by
// their end. A unit that needs what another did ran a command after the other
// had committed, so its last command is the later one; two units that don't
// need each other may go in either order. A concurrently built index goes
// before the first unit that came after it, whatever their ids.
func inCommitOrder(rows []journalRow) {
	last := lastRows(rows)
	first := map[int64]int64{} // by index, the unit that it goes before
	for _, r := range rows {
		for _, index := range r.Follows {
			if at, found := first[index]; !found || last[r.Unit] < at {
				first[index] = last[r.Unit]
			}
		}
	}
	// An index is a unit of its own, so it sorts just before that unit.
	place := func(r journalRow) (int64, int) {
		if before, found := first[r.ID]; found {
			return before, 0
		}
		return last[r.Unit], 1
	}
	slices.SortFunc(rows, func(a, b journalRow) int {
		pa, na := place(a)
		pb, nb := place(b)
		return cmp.Or(cmp.Compare(pa, pb), cmp.Compare(na, nb), cmp.Compare(a.ID, b.ID))
	})
}
