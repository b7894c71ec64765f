package devstack

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrInUse is what a start returns for a folder that another live process
// holds.
var ErrInUse = errors.New("folder is in use by another process")

// Lock takes the exclusive lock on the file at path, which it makes where it is
// not there. The lock is held until the file is closed or this process ends,
// however it ends. ErrInUse: another process holds it.
func Lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: %w", path, ErrInUse)
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
