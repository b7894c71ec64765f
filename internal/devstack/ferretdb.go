package devstack

import (
	"context"
	"log/slog"
	"os"
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
	server *server
	store  *ferretStore
}

// StartFerretDB runs FerretDB, which keeps its data in SQLite files, in c.Dir
// and waits until it answers, behind a unix socket in a folder that only its
// account may enter. As root, the server runs as the account mongodb or, where
// there is none, nobody. A missing program is a *MissingError; a folder that
// another process holds is ErrInUse.
func StartFerretDB(ctx context.Context, c FerretDBConfig) (*FerretDB, error) {
	binary, err := ferretProgram(c.Program)
	if err != nil {
		return nil, err
	}
	f := &FerretDB{}
	f.server, err = startServer(ctx, kind{
		name: "mongodb",
		stop: syscall.SIGTERM, // gives connections three seconds to end
		quit: syscall.SIGKILL, // SQLite's files survive that
	}, c.Dir, c.Log, func(dir string) (_ store, err error) {
		f.store, err = openFerretStore(dir, binary)
		return f.store, err
	})
	if err != nil {
		return nil, err
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

// Socket is the path of the unix socket. It is in the server's own folder, which
// only its account and root may enter.
func (f *FerretDB) Socket() string { return f.store.socket(ferretSocket) }

// Stop ends the server: while ctx lasts cleanly, afterwards less politely.
func (f *FerretDB) Stop(ctx context.Context) error { return f.server.stop(ctx) }
