//go:build linux && !race

package relay

import (
	"syscall"
	"unsafe"
)

func readOnce(fd uintptr, p []byte) (int, syscall.Errno) {
	return transferOnce(syscall.SYS_READ, fd, p)
}

func writeOnce(fd uintptr, p []byte) (int, syscall.Errno) {
	return transferOnce(syscall.SYS_WRITE, fd, p)
}

func transferOnce(call, fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), errno
}
