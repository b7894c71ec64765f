package shell

import "syscall"

// boundMemory makes the process die rather than take more than n bytes.
func boundMemory(n uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: n, Max: n})
}
