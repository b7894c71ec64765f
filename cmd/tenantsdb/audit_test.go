package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuditLogGoesOnInANewFileAfterItWasRenamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f, err := openAuditFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	audit := slog.New(slog.NewJSONHandler(f, nil))

	audit.Info("first")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	audit.Info("second")
	if err := f.reopen(); err != nil {
		t.Fatal(err)
	}
	audit.Info("third")
	for file, want := range map[string]int{path + ".1": 2, path: 1} {
		if text, err := os.ReadFile(file); err != nil || strings.Count(string(text), "\n") != want {
			t.Errorf("%s: got %q (%v), want %d records", filepath.Base(file), text, err, want)
		}
	}
}

// Writes to the device fail as on a full disk.
func TestALostAuditRecordIsSaid(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skipf("this system has no device that is always full: %v", err)
	}
	var log strings.Builder
	f, err := openAuditFile(full, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	slog.New(slog.NewJSONHandler(f, nil)).Info("lost")
	if !strings.Contains(log.String(), "audit record not written") || !strings.Contains(log.String(), "no space left") {
		t.Errorf("the log has %q", log.String())
	}
}
