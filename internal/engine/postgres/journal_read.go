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
}

// journal is what was committed and not yet forgotten.
type journal struct {
	rows   []journalRow
	bodies map[int64]string
}

// readJournal reads rows and bodies as of one moment.
func readJournal(ctx context.Context, conn *pgx.Conn) (journal, error) {
	var j journal
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id, xid::text, message, context, ordinal, tag, created, objects, dropped,
			       sources, temporary, structure, settings, source, at, reverts
			  FROM pg_tenantsdb.journal ORDER BY id`)
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if j.rows, err = pgx.CollectRows(rows, pgx.RowToStructByPos[journalRow]); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if len(j.rows) == 0 {
			return nil
		}
		j.bodies, err = readBodies(ctx, tx)
		return err
	})
	return j, err
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

// inCommitOrder sorts rows by unit, units by their last command, commands by
// their end. A unit that needs what another did ran a command after the other
// had committed, so its last command is the later one; two units that don't
// need each other may go in either order.
func inCommitOrder(rows []journalRow) {
	last := map[string]int64{}
	for _, r := range rows {
		last[r.Unit] = max(last[r.Unit], r.ID)
	}
	slices.SortFunc(rows, func(a, b journalRow) int {
		return cmp.Or(cmp.Compare(last[a.Unit], last[b.Unit]), cmp.Compare(a.ID, b.ID))
	})
}
