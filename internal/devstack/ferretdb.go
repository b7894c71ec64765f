package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// FerretDBProgram is the name of the program that StartFerretDB runs; it is
// built from the module in the folder ferretdb.
const FerretDBProgram = "tenantsdb-ferretdb"

// FerretDBConfig says where and how a FerretDB server runs.
type FerretDBConfig struct {
	Dir     string       // everything the server keeps, made on first start
	Program string       // path of FerretDBProgram; empty: beside the running program
	Log     *slog.Logger // of the supervision; nil discards
}

// FerretDB is a running server of the MongoDB protocol. It knows no users: who
// reaches its socket may do everything.
type FerretDB struct {
	store   *ferretStore
	process *process
	lock    *os.File
	output  *os.File // what the server writes
}

// StartFerretDB runs FerretDB, which keeps its data in SQLite files, in c.Dir
// and waits until it answers, behind a unix socket in a folder that only its
// account may enter. As root, the server runs as the account mongodb or, where
// there is none, nobody. A missing program is a *MissingError; a folder that
// another process holds is ErrInUse.
func StartFerretDB(ctx context.Context, c FerretDBConfig) (*FerretDB, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, fmt.Errorf("mongodb folder: %w", err)
	}
	if c.Program, err = ferretProgram(c.Program); err != nil {
		return nil, err
	}
	if err := makeFolder(c.Dir); err != nil {
		return nil, fmt.Errorf("mongodb folder: %w", err)
	}
	lock, err := Lock(filepath.Join(c.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("mongodb folder: %w", err)
	}
	f := &FerretDB{lock: lock}
	if err := f.start(ctx, c); err != nil {
		return nil, errors.Join(err, f.release())
	}
	return f, nil
}

// ferretProgram is the path that was given, or that of the program beside ours.
func ferretProgram(path string) (string, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), FerretDBProgram)
	}
	if !executable(path) {
		return "", &MissingError{Program: FerretDBProgram}
	}
	return filepath.Abs(path)
}

func (f *FerretDB) start(ctx context.Context, c FerretDBConfig) error {
	var err error
	if f.store, err = openFerretStore(c); err != nil {
		return err
	}
	if err := f.store.initialize(); err != nil {
		return fmt.Errorf("initialize mongodb: %w", err)
	}
	if f.output, err = openOutput(f.store.path("server.log")); err != nil {
		return fmt.Errorf("mongodb log: %w", err)
	}
	f.process, err = startProcess(ctx, program{
		name:    "mongodb",
		prepare: f.store.clearLeftovers,
		command: func() *exec.Cmd { return f.store.command(f.output) },
		ready:   f.store.answers,
		stop:    syscall.SIGTERM, // gives connections three seconds to end
		quit:    syscall.SIGKILL, // SQLite's files survive that
	}, c.Log)
	if err != nil {
		return fmt.Errorf("%w; the server said:\n%s", err, tail(f.output.Name()))
	}
	return nil
}

// Socket is the path of the unix socket. It is in the server's own folder, which
// only its account and root may enter.
func (f *FerretDB) Socket() string { return f.store.socket() }

// Stop ends the server: while ctx lasts cleanly, afterwards less politely.
func (f *FerretDB) Stop(ctx context.Context) error {
	return errors.Join(f.process.Stop(ctx), removeSocketFolder(f.store.sockets, f.store.dir), f.release())
}

// release lets the folder go once the server is gone.
func (f *FerretDB) release() error {
	var err error
	if f.output != nil {
		err = f.output.Close()
	}
	return errors.Join(err, f.lock.Close())
}
