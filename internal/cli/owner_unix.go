//go:build unix

package cli

import (
	"fmt"
	"io/fs"
	"syscall"
)

// owner names the user that a file belongs to, for the sentence of a refusal.
func owner(path string, info fs.FileInfo) string {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf(" and %s belongs to user %d (mode %04o)", path, s.Uid, info.Mode().Perm())
}
