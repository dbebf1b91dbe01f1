package realm_test

import (
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"demo", "master", "my-realm", "a.b_c", "Zürich", "two words"} {
		if err := realm.CheckName(name); err != nil {
			t.Errorf("%q refused: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a\\b", "a?b", "a#b", "a%2Fb", "a\nb", "a;b", " a", strings.Repeat("a", 256)} {
		if realm.CheckName(name) == nil {
			t.Errorf("%q accepted", name)
		}
	}
}
