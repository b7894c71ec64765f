//go:build !linux

package shell

import "runtime/debug"

// boundMemory makes the collector work harder beyond n bytes, which is all that
// can be done where the operating system does not count what a process takes.
func boundMemory(n int64) error {
	debug.SetMemoryLimit(n)
	return nil
}
