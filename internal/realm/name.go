package realm

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrName is the error of CheckName.
var ErrName = errors.New("a realm's name is 1 to 255 letters, digits, '-', '_' or '.', and does not begin with '.'")

// CheckName refuses realm names that could change the meaning of a path.
// ServeMux decodes %2F inside {realm}, so a slash must never pass here. It runs
// for every request: a pattern that counts to 255 letters of all scripts would be
// five megabytes.
func CheckName(name string) error {
	if name == "" || name[0] == '.' || name[0] == ' ' || utf8.RuneCountInString(name) > 255 || strings.ContainsFunc(name, notInRealmName) {
		return ErrName
	}
	return nil
}

// notInRealmName holds for what does not decode too: it reads as U+FFFD.
func notInRealmName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("_-. ", r)
}
