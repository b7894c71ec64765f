package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// catalogFile is the metadata in the folder of an installation.
const catalogFile = "catalog.db"

// makeDataDir makes the folder of an installation. As root it lets others
// through, not in: a server runs as an account of its own and has its folder
// inside.
func makeDataDir(dir string) error {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if ours, err := isOurs(dir); err != nil {
		return fmt.Errorf("data folder: %w", err)
	} else if !ours {
		return nil
	}
	if err := os.Chmod(dir, mode); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// isOurs says whether the folder holds an installation, or nothing yet. One that
// others keep things in, as /tmp, must stay open to them: what we write there is
// closed file by file.
func isOurs(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	return len(entries) == 0 || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == catalogFile }), nil
}

// writeJSON replaces the file at path as a whole; only we may read it.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	_, err = part.Write(append(text, '\n'))
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(part.Name(), path)
}

// readJSON reads what writeJSON wrote; false where there is no such file.
func readJSON(path string, into any) (bool, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return true, nil
}

// remove takes the file away if it is there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// openAppend opens a log that only we may read.
func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}
