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

// lockFile takes an exclusive lock that ends with this process, however it
// ends.
func lockFile(path string) (*os.File, error) {
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
