package realm_test

import (
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"demo", "master", "my-realm", "a.b_c", "Zürich", "two words", "-", "_", "1", "Ⅷ", "東京", strings.Repeat("ü", 255)} {
		if err := realm.CheckName(name); err != nil {
			t.Errorf("%q refused: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a\\b", "a?b", "a#b", "a%2Fb", "a\nb", "a;b", " a", ".a", "a\x00b", "a\x80", "\xff", "a\u00a0b", "a\u2028", "a\u0301", "a:b", "a@b", strings.Repeat("a", 256), strings.Repeat("ü", 256)} {
		if realm.CheckName(name) == nil {
			t.Errorf("%q accepted", name)
		}
	}
}
