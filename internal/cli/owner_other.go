//go:build !unix

package cli

import "io/fs"

// owner: other systems have no numbers of users.
func owner(string, fs.FileInfo) string { return "" }
