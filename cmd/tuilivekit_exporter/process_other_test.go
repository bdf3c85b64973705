//go:build !linux

package main_test

import "syscall"

// endingWithParent is for Linux, elsewhere nothing does this.
func endingWithParent() *syscall.SysProcAttr { return nil }
