//go:build linux && race

package relay

import (
	"errors"
	"syscall"
)

// The race detector knows by these calls that what one end wrote happened
// before the other read it.

func readOnce(fd uintptr, p []byte) (int, syscall.Errno) { return outcome(syscall.Read(int(fd), p)) }

func writeOnce(fd uintptr, p []byte) (int, syscall.Errno) { return outcome(syscall.Write(int(fd), p)) }

func outcome(n int, err error) (int, syscall.Errno) {
	errno, _ := errors.AsType[syscall.Errno](err)
	return n, errno
}
