//go:build unix && !linux

package devstack

import "syscall"

// dieWithParent does nothing: only Linux tells a child of its parent's death.
// The next start finds the survivor and stops it.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// runsIn says whether the process lives; where it works is not to be had here.
func runsIn(pid int, _ string) bool {
	return syscall.Kill(pid, 0) == nil
}
