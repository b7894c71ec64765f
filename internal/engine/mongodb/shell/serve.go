package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// maxMemory is what one script may take beside the program itself.
	maxMemory = 256 << 20
	// maxStack ends a runaway recursion before it takes all of that.
	maxStack = 64 << 20
)

// Serve is the child: it evaluates the script that in brings, and asks for each
// command on out. It is for a process that does nothing else, whose memory it
// bounds for good.
func Serve(in io.Reader, out io.Writer) error {
	debug.SetMaxStack(maxStack)
	if err := boundMemory(maxMemory); err != nil {
		return fmt.Errorf("bound memory: %w", err)
	}
	var o order
	if err := readFrame(in, &o); err != nil {
		return err
	}
	go endWithParent(o.Parent)
	outcome, err := evaluate(o, func(command bson.D) (Answer, error) {
		return ask(in, out, command)
	})
	if failure, ok := errors.AsType[*Failure](err); ok {
		return writeFrame(out, report{Failure: failure})
	}
	if errors.Is(err, ErrSchemaFixed) {
		return writeFrame(out, report{SchemaFixed: true})
	}
	if err != nil {
		return err
	}
	end := ending(outcome)
	if end.Value.Type == 0 {
		end.Value = bson.RawValue{Type: bson.TypeNull}
	}
	if len(end.Value.Value) > maxFrame {
		// To encode it once more only to measure it may take all memory.
		return writeFrame(out, report{Failure: &Failure{Message: tooLong("result")}})
	}
	err = writeFrame(out, report{Outcome: &end})
	if errors.Is(err, errTooLong) {
		return writeFrame(out, report{Failure: &Failure{Message: tooLong("result")}})
	}
	return err
}

// parentLook is how often a child looks whether its parent is there.
const parentLook = time.Second

// endWithParent ends the process when it is left alone: an endless script has
// nobody else to end it. It runs as long as the process.
func endWithParent(parent int) {
	for range time.Tick(parentLook) {
		if os.Getppid() != parent {
			os.Exit(1)
		}
	}
}

// ask has the parent run one command.
func ask(in io.Reader, out io.Writer, command bson.D) (Answer, error) {
	data, err := bson.Marshal(command)
	if err != nil {
		return Answer{Error: err.Error()}, nil
	}
	err = writeFrame(out, report{Run: data})
	if errors.Is(err, errTooLong) {
		return Answer{Error: tooLong("command")}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	var answer Answer
	err = readFrame(in, &answer)
	return answer, err
}

func tooLong(what string) string {
	return fmt.Sprintf("the %s is larger than %d MiB, the most that the API takes; use a MongoDB client", what, maxFrame>>20)
}
