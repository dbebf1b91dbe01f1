//go:build !linux

package main_test

import "syscall"

// endsWithParent is a Linux matter; elsewhere the test's clean-up ends programs.
func endsWithParent() *syscall.SysProcAttr { return nil }
