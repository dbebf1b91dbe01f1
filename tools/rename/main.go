// Command rename gives the module another path: in go.mod, in every import and
// in the rules.
//
//	cd tools && go run ./rename github.com/you/latchkey
//
// It changes files in the checkout above it and nothing else.
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const old = "github.com/latchkey-id/latchkey"

func main() {
	if len(os.Args) != 2 || strings.ContainsAny(os.Args[1], " \"") || !strings.Contains(os.Args[1], "/") {
		fmt.Fprintln(os.Stderr, "usage: go run ./rename MODULE/PATH")
		os.Exit(2)
	}
	if err := rename("..", os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func rename(root, to string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if d.IsDir() || !(strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "go.mod")) {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(b, []byte(old)) {
			return err
		}
		return os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(to)), 0o644)
	})
}
