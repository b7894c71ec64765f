package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// lock keeps a second process away from a store. It is an open transaction on a
// file of its own, so that it ends with the process on every system.
type lock struct {
	db *sql.DB
	tx *sql.Tx
}

// takeLock fails where another process, or another Open, holds the lock for
// longer than a restart may overlap.
func takeLock(ctx context.Context, path string) (*lock, error) {
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, "exclusive", "busy_timeout(2000)"))
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("in use by another process: %w", err), db.Close())
	}
	return &lock{db: db, tx: tx}, nil
}

// release lets the next one in. Nothing was written, so nothing can be lost.
func (l *lock) release() {
	_ = l.tx.Rollback()
	_ = l.db.Close()
}
