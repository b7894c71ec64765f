package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // register database/sql driver
)

// removeUnfinished removes the databases in folder that a crash kept from being
// made: their files have no table yet. FerretDB, which needs one in each, would
// never start again.
func removeUnfinished(ctx context.Context, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.sqlite"))
	if err != nil {
		return err
	}
	for _, file := range files {
		tables, err := countTables(ctx, file)
		if err != nil || tables > 0 {
			continue // what can't be read is FerretDB's to judge
		}
		for _, suffix := range []string{"-wal", "-shm", ""} {
			if err := os.Remove(file + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove unfinished database: %w", err)
			}
		}
	}
	return nil
}

func countTables(ctx context.Context, file string) (n int, err error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: file}).String())
	if err != nil {
		return 0, err
	}
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n)
	return n, errors.Join(err, db.Close())
}
