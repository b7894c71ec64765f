package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	maxLastWords = 4 << 10 // of a child that breaks down, for the log
	reapTimeout  = 5 * time.Second
)

// ErrBroken is a child that ended without an answer: it ran out of memory, or
// of stack.
var ErrBroken = errors.New("script broke its evaluation")

// Process starts the children.
type Process struct {
	// Command is the program and arguments of a process that calls Serve with
	// its standard input and output.
	Command []string
	// Fixed are the names of the commands that change the schema, where it is
	// fixed: scripts are not run at all that would, as far as their text shows it.
	Fixed []string
}

// Run evaluates text in a child of its own, which ends with ctx; run is called
// for each of its commands, one at a time. An error is a *Failure, one that run
// gave, ctx's, ErrBroken or ErrSchemaFixed.
func (p Process) Run(ctx context.Context, text, database string, run func(bson.D) (Answer, error)) (Outcome, error) {
	if len(p.Command) == 0 {
		return Outcome{}, errors.New("start shell: no program is named")
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	c := exec.CommandContext(running, p.Command[0], p.Command[1:]...)
	c.Dir, c.Env, c.WaitDelay = "/", []string{"GOTRACEBACK=none"}, reapTimeout
	words := &lastWords{}
	c.Stderr = words
	in, err := c.StdinPipe()
	if err != nil {
		return Outcome{}, fmt.Errorf("start shell: %w", err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return Outcome{}, fmt.Errorf("start shell: %w", err)
	}
	if err := c.Start(); err != nil {
		return Outcome{}, fmt.Errorf("start shell: %w", err)
	}
	outcome, err := converse(in, out, order{Text: text, Database: database, Parent: os.Getpid(), Fixed: p.Fixed}, run)
	stop()
	// How it ended says nothing that its last frame does not.
	_ = c.Wait()
	switch {
	case err == nil:
		return outcome, nil
	case ctx.Err() != nil:
		return Outcome{}, fmt.Errorf("evaluate script: %w", context.Cause(ctx))
	case errors.Is(err, errPipe):
		return Outcome{}, fmt.Errorf("%w: %s", ErrBroken, words)
	}
	return Outcome{}, err
}

// errPipe is a child that does not read or write as it should any more.
var errPipe = errors.New("child is gone")

// converse answers the child's commands until it has come to its end.
func converse(in io.Writer, out io.Reader, o order, run func(bson.D) (Answer, error)) (Outcome, error) {
	if err := writeFrame(in, o); err != nil {
		return Outcome{}, gone(err)
	}
	for {
		var r report
		if err := readFrame(out, &r); err != nil {
			return Outcome{}, errors.Join(errPipe, err)
		}
		switch {
		case r.Failure != nil:
			return Outcome{}, r.Failure
		case r.SchemaFixed:
			return Outcome{}, ErrSchemaFixed
		case r.Outcome != nil:
			return Outcome(*r.Outcome), nil
		}
		var command bson.D
		if err := bson.Unmarshal(r.Run, &command); err != nil {
			return Outcome{}, fmt.Errorf("read command: %w", err)
		}
		answer, err := run(command)
		if err != nil {
			return Outcome{}, err
		}
		err = writeFrame(in, answer)
		if errors.Is(err, errTooLong) {
			err = writeFrame(in, Answer{Error: tooLong("reply")})
		}
		if err != nil {
			return Outcome{}, gone(err)
		}
	}
}

// gone marks an error of writing to the child.
func gone(err error) error {
	if errors.Is(err, errTooLong) {
		return &Failure{Message: tooLong("query")}
	}
	return errors.Join(errPipe, err)
}

// lastWords keeps the beginning of what a child says before it dies.
type lastWords struct{ b bytes.Buffer }

func (w *lastWords) Write(p []byte) (int, error) {
	w.b.Write(p[:min(len(p), maxLastWords-w.b.Len())])
	return len(p), nil
}

func (w *lastWords) String() string {
	first, _, _ := strings.Cut(w.b.String(), "\n")
	return first
}
