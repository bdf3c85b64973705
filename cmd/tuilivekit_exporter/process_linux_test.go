package main_test

import "syscall"

// endingWithParent makes a child process end even when the test binary is killed.
func endingWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
