// Command tenantsdb-ferretdb is the MongoDB server of `tenantsdb dev`: FerretDB
// on SQLite files, behind a unix socket. It is a module of its own, so that its
// many requirements are not those of the program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tenantsdb-ferretdb:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("tenantsdb-ferretdb", flag.ContinueOnError)
	data := flags.String("data", "", "the `folder` of the databases")
	socket := flags.String("socket", "", "the `path` of the unix socket to listen on")
	pidFile := flags.String("pid-file", "", "the `path` to write the process number to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *data == "" || *socket == "" || *pidFile == "" || flags.NArg() > 0 {
		return errors.New("-data, -socket and -pid-file must be given, and nothing else")
	}
	if err := os.WriteFile(*pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return err
	}
	// One that was killed left its socket.
	if err := os.Remove(*socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := removeUnfinished(ctx, filepath.Clean(*data)); err != nil {
		return err
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{Unix: *socket},
		// Its warnings tell of each connection that a client just closed, and
		// of statements with their values.
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.Clean(*data) + "/"}).String(),
	})
	if err != nil {
		return err
	}
	return server.Run(ctx)
}
