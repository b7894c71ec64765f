package main

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// auditFile is the audit log's file, which may be renamed and begun anew while
// we run. A record that can't be written is told in the other log: nothing that
// waits for an answer could say it.
type auditFile struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	file   *os.File
	broken bool // the last record was written in part
}

func openAuditFile(path string, log *slog.Logger) (*auditFile, error) {
	f, err := openAppend(path)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return &auditFile{path: path, log: log, file: f}, nil
}

// Write appends one record.
func (a *auditFile) Write(record []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken {
		// Keeps the half record from spoiling this one.
		if _, err := a.file.WriteString("\n"); err != nil {
			return 0, a.lost(err)
		}
		a.broken = false
	}
	n, err := a.file.Write(record)
	if err != nil {
		a.broken = n > 0
		return n, a.lost(err)
	}
	return n, nil
}

func (a *auditFile) lost(err error) error {
	a.log.Error("audit record not written", "error", err)
	return err
}

// reopen goes on in the file that now has the name.
func (a *auditFile) reopen() error {
	f, err := openAppend(a.path)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.file
	a.file, a.broken = f, false
	return old.Close()
}

func (a *auditFile) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Close()
}
