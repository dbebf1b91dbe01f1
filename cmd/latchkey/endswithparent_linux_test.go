package main_test

import "syscall"

// endsWithParent makes a program end even when the test's process is killed and
// no clean-up of its own runs any more (go test -timeout).
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
