package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// firstPause and lastPause bound the wait before a child that exited is
	// started again; it doubles from one to the other.
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
	// steady is how long a child must have run for its next exit to count as
	// its first.
	steady = time.Minute
	// startAttempts is how often a child may exit before it was ever ready.
	startAttempts = 3
	// probeEvery is how often a starting child is asked whether it is ready.
	probeEvery = 30 * time.Millisecond
	// lastWait is how long a child may take for each harsher signal once the
	// time for a clean stop is over.
	lastWait = 5 * time.Second
)

// program is one kind of server: how to start, ask and stop it.
type program struct {
	kind
	// prepare clears what a previous run left behind; called before each run.
	prepare func(ctx context.Context) error
	// command is a new command for each run.
	command func() *exec.Cmd
	// ready asks the running server once whether it answers.
	ready func(ctx context.Context) error
}

// process keeps one program running until it is stopped.
type process struct {
	program program
	log     *slog.Logger

	halt   context.CancelFunc // ends whatever supervise waits for between runs
	done   chan struct{}      // closed when supervise has returned
	exited chan error         // unexpected exits, for whoever waits for the start

	mu      sync.Mutex
	stopped bool        // Stop was called; no further run begins
	child   *os.Process // nil between runs
}

// startProcess runs the program and waits until it is ready. When it returns
// an error nothing is running.
func startProcess(ctx context.Context, p program, log *slog.Logger) (*process, error) {
	life, halt := context.WithCancel(context.WithoutCancel(ctx))
	s := &process{
		program: p,
		log:     log.With("server", p.name),
		halt:    halt,
		done:    make(chan struct{}),
		exited:  make(chan error, startAttempts),
	}
	go s.supervise(life)
	if err := s.awaitReady(ctx); err != nil {
		// ctx may be over; the child has to go all the same.
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.name, err), s.Stop(stopCtx))
	}
	return s, nil
}

func (s *process) awaitReady(ctx context.Context) error {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	var exit error
	for exits := 0; exits < startAttempts; {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until it answers: %w", ctx.Err())
		case exit = <-s.exited:
			exits++
		case <-ticker.C:
			if s.running() && s.program.ready(ctx) == nil {
				return nil
			}
		}
	}
	return exit
}

// supervise runs the program again and again until Stop. It keeps its thread
// to itself: the kernel ties the signal of a parent's death to the thread that
// made the child, and a thread of the pool may end at any time.
func (s *process) supervise(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	pause := firstPause
	for {
		began := time.Now()
		err := s.run(ctx)
		if s.isStopped() {
			return
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		s.log.Error("server exited and is started again", "error", err, "pause", pause)
		select {
		case s.exited <- err:
		default: // nobody waits for the start any more
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// run is one life of the child.
func (s *process) run(ctx context.Context) error {
	if err := s.program.prepare(ctx); err != nil {
		return err
	}
	cmd := s.program.command()
	detach(cmd, s.program.stop)
	if err := s.begin(cmd); err != nil {
		return err
	}
	err := cmd.Wait()
	s.mu.Lock()
	s.child = nil
	s.mu.Unlock()
	if err == nil {
		err = errors.New("exited without an error")
	}
	return err
}

// begin starts the child unless Stop came first.
func (s *process) begin(cmd *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("stopped before it began")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.child = cmd.Process
	return nil
}

// detach keeps the terminal's signals from the child, so that Ctrl-C drains the
// proxy before its servers go, and has the kernel send death to the child when
// our thread ends without having stopped it.
func detach(cmd *exec.Cmd, death syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr, death)
}

// Stop ends the child and waits for it: cleanly while ctx lasts, then at once,
// then by force. It returns an error if the clean way was not enough.
func (s *process) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.halt()
	s.signal(s.program.stop)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	for _, sig := range []syscall.Signal{s.program.quit, syscall.SIGKILL} {
		s.signal(sig)
		select {
		case <-s.done:
			return fmt.Errorf("stop %s: ended by %v after %w", s.program.name, sig, ctx.Err())
		case <-time.After(lastWait):
		}
	}
	return fmt.Errorf("stop %s: it ignores every signal", s.program.name)
}

// signal does nothing between runs. A child that has just exited is no error:
// it is what the signal was for.
func (s *process) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return
	}
	if err := s.child.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Error("server could not be signalled", "signal", sig.String(), "error", err)
	}
}

func (s *process) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child != nil
}

func (s *process) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}
