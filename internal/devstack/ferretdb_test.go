package devstack_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

func startFerretDB(t *testing.T, dir string) *devstack.FerretDB {
	t.Helper()
	program, err := devstacktest.FerretDBProgram()
	if err != nil {
		t.Fatal(err)
	}
	f, err := devstack.StartFerretDB(t.Context(), devstack.FerretDBConfig{Dir: dir, Program: program})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func stopFerretDB(t *testing.T, f *devstack.FerretDB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// withMongo lends a connected client.
func withMongo(t *testing.T, f *devstack.FerretDB, use func(*mongo.Client) error) error {
	t.Helper()
	client, err := mongo.Connect(options.Client().SetHosts([]string{f.Socket()}).SetDirect(true).
		SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return errors.Join(use(client), client.Disconnect(context.WithoutCancel(t.Context())))
}

// count is how many documents there are in the one collection of these tests.
func count(t *testing.T, f *devstack.FerretDB) (n int64, err error) {
	t.Helper()
	return n, withMongo(t, f, func(client *mongo.Client) error {
		n, err = client.Database("kept").Collection("c").CountDocuments(t.Context(), bson.D{})
		return err
	})
}

// insert puts a document into that collection of a database.
func insert(t *testing.T, f *devstack.FerretDB, database string) error {
	t.Helper()
	return withMongo(t, f, func(client *mongo.Client) error {
		_, err := client.Database(database).Collection("c").InsertOne(t.Context(), bson.D{{Key: "a", Value: 1}})
		return err
	})
}

// killFerretDB waits until the server is back, with its one document.
func killFerretDB(t *testing.T, f *devstack.FerretDB, dir string) {
	t.Helper()
	if err := syscall.Kill(ferretPID(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "server back", func() bool {
		n, err := count(t, f)
		return err == nil && n == 1
	})
}

func TestFerretDBIsReachedByItsSocketOnly(t *testing.T) {
	f := devstacktest.FerretDB(t)
	if err := withMongo(t, f, func(client *mongo.Client) error { return client.Ping(t.Context(), nil) }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Dir(f.Socket())); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of the socket: got %v %v, want mode 0700", info, err)
	}
	inodes := socketsOf(t, ferretPID(t, filepath.Dir(filepath.Dir(f.Socket()))))
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if errors.Is(err, os.ErrNotExist) {
			continue // no IPv6, or no Linux
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 9 && inodes[fields[9]] {
				t.Errorf("the server has a socket of TCP: %s", line)
			}
		}
	}
}

// socketsOf are the inodes of a process's open sockets.
func socketsOf(t *testing.T, pid int) map[string]bool {
	t.Helper()
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	open, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	inodes := map[string]bool{}
	for _, file := range open {
		target, err := os.Readlink(filepath.Join(folder, file.Name()))
		if inode, is := strings.CutPrefix(target, "socket:["); err == nil && is {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes
}

func ferretPID(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "ferretdb.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestFerretDBFindsItsDataAfterAKill(t *testing.T) {
	dir := devstacktest.Dir(t)
	f := startFerretDB(t, dir)
	defer func() { stopFerretDB(t, f) }()
	if err := insert(t, f, "kept"); err != nil {
		t.Fatal(err)
	}
	killFerretDB(t, f, dir)

	stopFerretDB(t, f)
	f = startFerretDB(t, dir)
	if n, err := count(t, f); err != nil || n != 1 {
		t.Errorf("after a clean stop: got %d %v, want 1 document", n, err)
	}
}

// TestFerretDBStartsThoughADatabaseWasNotFinished has files as they are where it
// died while it made databases.
func TestFerretDBStartsThoughADatabaseWasNotFinished(t *testing.T) {
	dir := devstacktest.Dir(t)
	f := startFerretDB(t, dir)
	defer func() { stopFerretDB(t, f) }()
	if err := insert(t, f, "kept"); err != nil {
		t.Fatal(err)
	}
	withoutTables := make([]byte, 4096) // https://www.sqlite.org/fileformat2.html
	copy(withoutTables, "SQLite format 3\x00\x10\x00\x02\x02\x00\x40\x20\x20")
	withoutTables[100] = 0x0d                      // a leaf of a table
	withoutTables[105], withoutTables[106] = 16, 0 // whose content begins at the end of the page
	for name, content := range map[string][]byte{"begun": nil, "without_tables": withoutTables} {
		if err := os.WriteFile(filepath.Join(dir, "data", name+".sqlite"), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	killFerretDB(t, f, dir)
	if err := insert(t, f, "begun"); err != nil {
		t.Errorf("the database whose making was cut short can't be made: %v", err)
	}
}

func TestFerretDBRunsThoughItsAccountCantReachTheProgram(t *testing.T) {
	built, err := devstacktest.FerretDBProgram()
	if err != nil {
		t.Fatal(err)
	}
	hidden := filepath.Join(t.TempDir(), devstack.FerretDBProgram)
	if err := os.Link(built, hidden); err != nil {
		if err := os.Symlink(built, hidden); err != nil { // another disk
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(hidden), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := devstack.StartFerretDB(t.Context(), devstack.FerretDBConfig{Dir: devstacktest.Dir(t), Program: hidden})
	if err != nil {
		t.Fatal(err)
	}
	stopFerretDB(t, f)
}

func TestFerretDBFolderIsHeldByOne(t *testing.T) {
	dir := devstacktest.Dir(t)
	f := startFerretDB(t, dir)
	defer stopFerretDB(t, f)
	program, err := devstacktest.FerretDBProgram()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := devstack.StartFerretDB(t.Context(), devstack.FerretDBConfig{Dir: dir, Program: program}); !errors.Is(err, devstack.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
}

func TestMissingFerretDBSaysHowItIsBuilt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mongodb")
	_, err := devstack.StartFerretDB(t.Context(), devstack.FerretDBConfig{Dir: dir})
	if missing, ok := errors.AsType[*devstack.MissingError](err); !ok || !strings.Contains(missing.Error(), "make build") {
		t.Fatalf("got %v, want a MissingError that says how it is built", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a folder was made for a server that can't start")
	}
}
