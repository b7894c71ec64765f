package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// journalVersion is raised with each change of journal.sql, journal_copied.sql or
// journal_names.sql, which then bring older journals up to it.
const journalVersion = 7

// journalLock keeps two nodes from installing into one database at once.
const journalLock = 0x74656e616e747301

var (
	//go:embed journal.sql
	journalSQL string
	//go:embed journal_copied.sql
	journalCopiedSQL string
	//go:embed journal_names.sql
	journalNamesSQL string
)

// installJournal makes the database of conn note its schema changes, or brings
// an older journal up to journalVersion. Where it is already there, nothing
// happens. The changes that the installation makes are not noted.
func installJournal(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("install journal: %w", err)
	}
	defer tx.Rollback(ctx) //nolint:errcheck // nothing to do after Commit, and nothing to add before it
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(journalLock)); err != nil {
		return fmt.Errorf("install journal: %w", err)
	}
	installed, err := installedJournal(ctx, tx)
	if err != nil {
		return err
	}
	if installed == journalVersion {
		return nil
	}
	if installed > journalVersion {
		return fmt.Errorf("install journal: the database has version %d, this program knows %d", installed, journalVersion)
	}
	// A schema with the reserved prefix needs the first; the second keeps an
	// older journal's triggers silent.
	script := "SET LOCAL allow_system_table_mods = on; SET LOCAL session_replication_role = replica;\n" + journalSQL + journalCopiedSQL + journalNamesSQL
	if _, err := tx.Conn().PgConn().Exec(ctx, script).ReadAll(); err != nil {
		return fmt.Errorf("install journal: %w", err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO pg_tenantsdb.version VALUES ($1)", int32(journalVersion)); err != nil {
		return fmt.Errorf("install journal: note version: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("install journal: %w", err)
	}
	return nil
}

// upgradeJournal brings the journal that an older program left in the database up
// to journalVersion; once is enough.
func (e *Engine) upgradeJournal(ctx context.Context, conn *pgx.Conn, database string) error {
	if _, done := e.journaled.Load(database); done {
		return nil
	}
	if err := installJournal(ctx, conn); err != nil {
		return err
	}
	e.journaled.Store(database, true)
	return nil
}

// journaledText is text as it may run in the database of conn, which a client
// sent through the API: where there is a journal, with what it would not see put
// into words that it sees.
func journaledText(ctx context.Context, conn *pgx.Conn, text string) (string, error) {
	unseen, found := ddltrack.Unjournaled(text)
	if !found {
		return text, nil
	}
	var tracked bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'pg_tenantsdb')").Scan(&tracked); err != nil {
		return "", fmt.Errorf("find journal: %w", err)
	}
	switch {
	case !tracked:
		return text, nil
	case unseen.Instead == "":
		return "", refusal(featureNotSupported, "%s", unseen.Refusal)
	}
	return unseen.Instead, nil
}

// installedJournal is the version in the database; 0 where there is none.
func installedJournal(ctx context.Context, tx pgx.Tx) (int32, error) {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('pg_tenantsdb.version') IS NOT NULL").Scan(&exists); err != nil {
		return 0, fmt.Errorf("find journal: %w", err)
	}
	if !exists {
		return 0, nil
	}
	var version int32
	err := tx.QueryRow(ctx, "SELECT max(number) FROM pg_tenantsdb.version HAVING count(*) > 0").Scan(&version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("read journal version: %w", err)
	}
	return version, nil
}
