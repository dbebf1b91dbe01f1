package realm

import (
	"errors"
	"regexp"
)

// ErrName is the error of CheckName.
var ErrName = errors.New("a realm's name is 1 to 255 letters, digits, '-', '_' or '.', and does not begin with '.'")

var nameForm = regexp.MustCompile(`^[\p{L}\p{N}_\-][\p{L}\p{N}_\-. ]{0,254}$`)

// CheckName refuses realm names that could change the meaning of a path.
// ServeMux decodes %2F inside {realm}, so a slash must never pass here.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return ErrName
	}
	return nil
}
