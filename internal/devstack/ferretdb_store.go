package devstack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	ferretSocket = "mongodb.sock"
	// largestAnswer bounds the reply to a ping.
	largestAnswer = 64 << 10
	// opMsg is the wire protocol's number of the one kind of message.
	opMsg = 2013
)

// ferretStore is a folder of FerretDB and the program that works on it.
type ferretStore struct {
	folder
	program string // where we were told that it is
}

func openFerretStore(dir, program string) (*ferretStore, error) {
	f, err := openFolder(dir, "mongodb")
	if err != nil {
		f, err = openFolder(dir, "nobody")
	}
	return &ferretStore{folder: f, program: program}, err
}

// initialize makes the data folder and, where the server has an account of its
// own, a copy of the program: the folder that it was built in may be one that
// the account can't enter.
func (s *ferretStore) initialize(context.Context) error {
	if err := s.account.folder(s.data()); err != nil {
		return err
	}
	if s.account == nil {
		return nil
	}
	copied := s.path("program")
	if err := copyProgram(s.program, copied); err != nil {
		return err
	}
	s.program = copied
	return nil
}

// copyProgram replaces the file as a whole: the old one may still run.
func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	part := to + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	// The mode is not the umask's to decide.
	if err := errors.Join(err, out.Chmod(0o755), out.Close()); err != nil {
		return err
	}
	return os.Rename(part, to)
}

func (s *ferretStore) pidFile() string { return filepath.Join(s.data(), "ferretdb.pid") }

func (s *ferretStore) command(output *os.File) *exec.Cmd {
	cmd := s.account.command(s.data(), s.program,
		"-data", s.data(), "-socket", s.socket(ferretSocket), "-pid-file", s.pidFile())
	cmd.Stdout, cmd.Stderr = output, output
	return cmd
}

// clearLeftovers leaves a socket that is there: the server replaces it.
func (s *ferretStore) clearLeftovers(ctx context.Context) error {
	return errors.Join(s.endOld(ctx, s.pidFile()), s.makeSockets())
}

// answers pings the server once.
func (s *ferretStore) answers(ctx context.Context) error {
	return ask(ctx, s.socket(ferretSocket), func(conn net.Conn) error {
		if _, err := conn.Write(pingMessage()); err != nil {
			return err
		}
		return readPong(conn)
	})
}

// pingMessage is the command ping as an OP_MSG: a header of four numbers, flags,
// and one section, the document.
func pingMessage() []byte {
	ping := bsoncore.NewDocumentBuilder().AppendInt32("ping", 1).AppendString("$db", "admin").Build()
	message := binary.LittleEndian.AppendUint32(nil, uint32(16+4+1+len(ping)))
	for _, number := range []uint32{1, 0, opMsg, 0} { // request, response to, kind, flags
		message = binary.LittleEndian.AppendUint32(message, number)
	}
	return append(append(message, 0), ping...)
}

func readPong(from io.Reader) error {
	var header [16 + 4 + 1]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return err
	}
	length := binary.LittleEndian.Uint32(header[:])
	if kind := binary.LittleEndian.Uint32(header[12:]); kind != opMsg || length < uint32(len(header)) || length > largestAnswer {
		return fmt.Errorf("a reply of kind %d and %d bytes is none to a ping", kind, length)
	}
	document := make(bsoncore.Document, int(length)-len(header))
	if _, err := io.ReadFull(from, document); err != nil {
		return err
	}
	if ok, found := document.Lookup("ok").DoubleOK(); !found || ok != 1 {
		return errors.New("the server answers that it is not well")
	}
	return nil
}
