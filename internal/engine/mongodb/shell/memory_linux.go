package shell

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// threadRoom is for the stacks of threads that the runtime has not started yet.
const threadRoom = 64 << 20

// boundMemory makes the process die rather than take n bytes more than it has
// now, and the collector work harder before that.
func boundMemory(n int64) error {
	now, err := dataSize()
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(n * 3 / 4)
	limit := now + (uint64(n)+threadRoom)*shadow
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: limit, Max: limit})
}

// dataSize is what the kernel counts against RLIMIT_DATA; see proc_pid_statm(5).
func dataSize() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 6 {
		return 0, fmt.Errorf("statm has %d fields", len(fields))
	}
	pages, err := strconv.ParseUint(fields[5], 10, 64)
	if err != nil {
		return 0, err
	}
	return pages * uint64(os.Getpagesize()), nil
}
