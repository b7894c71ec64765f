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

// kind is what servers of one kind are called, and which signals end them.
type kind struct {
	name string
	// stop asks for a clean exit that does not wait for clients, quit for one
	// at once.
	stop, quit syscall.Signal
}

// store is the folder of a server of one kind and the programs that work on it.
type store interface {
	// initialize makes what is not there yet, before the first run.
	initialize(ctx context.Context) error
	// clearLeftovers clears what a previous run left behind, before each run.
	clearLeftovers(ctx context.Context) error
	// command is a new command for each run, which writes to output.
	command(output *os.File) *exec.Cmd
	// answers asks the running server once whether it is ready.
	answers(ctx context.Context) error
}

// server is a process that is kept running on a folder that nobody else has.
type server struct {
	process *process
	lock    *os.File
	output  *os.File // what the process writes
	sockets string   // the folder to take away at the end; empty: none
}

// startServer takes dir, has open find what is in it, and runs the server until
// it answers. When it returns an error nothing is running.
func startServer(ctx context.Context, k kind, dir string, log *slog.Logger, open func(dir string) (store, error)) (*server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%s folder: %w", k.name, err)
	}
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("%s folder: %w", k.name, err)
	}
	lock, err := Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("%s folder: %w", k.name, err)
	}
	s := &server{lock: lock}
	if sockets := socketFolder(dir); filepath.Dir(sockets) != dir {
		s.sockets = sockets
	}
	if err := s.start(ctx, k, dir, log, open); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *server) start(ctx context.Context, k kind, dir string, log *slog.Logger, open func(dir string) (store, error)) error {
	on, err := open(dir)
	if err != nil {
		return err
	}
	if err := on.initialize(ctx); err != nil {
		return fmt.Errorf("initialize %s: %w", k.name, err)
	}
	if s.output, err = openOutput(filepath.Join(dir, "server.log")); err != nil {
		return fmt.Errorf("%s log: %w", k.name, err)
	}
	s.process, err = startProcess(ctx, program{
		kind:    k,
		prepare: on.clearLeftovers,
		command: func() *exec.Cmd { return on.command(s.output) },
		ready:   on.answers,
	}, log)
	if err != nil {
		return fmt.Errorf("%w; the server said:\n%s", err, tail(s.output.Name()))
	}
	return nil
}

// stop ends the server: while ctx lasts cleanly, afterwards less politely.
func (s *server) stop(ctx context.Context) error {
	err := s.process.Stop(ctx)
	if s.sockets != "" {
		err = errors.Join(err, os.RemoveAll(s.sockets))
	}
	return errors.Join(err, s.release())
}

// release lets the folder go once the server is gone.
func (s *server) release() error {
	var err error
	if s.output != nil {
		err = s.output.Close()
	}
	return errors.Join(err, s.lock.Close())
}
