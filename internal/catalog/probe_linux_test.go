package catalog_test

import (
	"database/sql"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// fullDisk makes a folder, and what fills its disk and frees it again: a small
// file system where we may mount one, else this process's limit on files.
func fullDisk(t *testing.T) (dir string, fill, free func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		return dir, func() { limitFiles(t, 0) }, func() { limitFiles(t, largest(t)) }
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	filler := filepath.Join(dir, "filler")
	fill = func() {
		f, err := os.Create(filler)
		must(t, err)
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4<<10))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill the disk: %v", err)
		}
	}
	return dir, fill, func() { must(t, os.Remove(filler)) }
}

func limitFiles(t *testing.T, size uint64) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: largest(t)}))
}

func largest(t *testing.T) uint64 {
	t.Helper()
	var now syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now))
	return now.Max
}

func TestPingTellsOfAFullDiskUntilThereIsRoom(t *testing.T) {
	dir, fill, free := fullDisk(t)
	c := open(t, filepath.Join(dir, "catalog.db"))
	fill()
	err := c.Ping(t.Context())
	again := c.Ping(t.Context())
	free()
	if err == nil || again == nil {
		t.Errorf("on a full disk: got %v, then %v, want errors", err, again)
	}
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for since := time.Now(); c.Ping(t.Context()) != nil; <-poll.C {
		if time.Since(since) > time.Minute {
			t.Fatal("the disk has room again, and ping tells of an error")
		}
	}
	must(t, c.Close())
	if _, err := os.Stat(filepath.Join(dir, "catalog.db.probe")); !os.IsNotExist(err) {
		t.Errorf("a probe is left: %v", err)
	}
}

func TestPingWritesOnceInAWhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	c := open(t, path)
	began := time.Now()
	for range 50 {
		must(t, c.Ping(t.Context()))
	}
	most := 1 + int(time.Since(began)/(5*time.Second))
	must(t, c.Close())
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	var writes int
	must(t, db.QueryRow(`PRAGMA user_version`).Scan(&writes))
	if writes < 1 || writes > most {
		t.Errorf("got %d writes, want 1 to %d", writes, most)
	}
}
