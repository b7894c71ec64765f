package devstack

import (
	"fmt"
	"os"
	"syscall"
)

// dieWithParent has the kernel send the signal when the thread that made the
// child ends.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) {
	attr.Pdeathsig = sig
}

// runsIn says whether the process lives and works in dir, as a server does in
// its data folder. Another process that was given the same number does not.
func runsIn(pid int, dir string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && cwd == dir
}
