package devstack

import (
	"io"
	"os"
)

const (
	// largestOutput is when a server's log gives way to a new one; one old
	// one is kept.
	largestOutput = 16 << 20
	// tailBytes is how much of it an error shows.
	tailBytes = 2 << 10
)

// openOutput opens a server's log for appending. The server writes to the file
// itself and not to us, so that it can have its say when we are dead.
func openOutput(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > largestOutput {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// tail is the end of a log, for an error.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	// A file shorter than that can't seek there and is read from its start.
	_, _ = f.Seek(-tailBytes, io.SeekEnd)
	text, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
