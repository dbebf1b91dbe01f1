package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Somebody restored the database and forgot its key, or started without the
// --key-file that it was made with. A new key would be a wrong one, and the next
// backup would keep it as the one that opens it.
func TestNoKeyIsMadeForADatabaseThatHasOne(t *testing.T) {
	dir := t.TempDir()
	s, ring, err := openData(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := ring.Seal([]byte("private"), "signing_keys", "k", "private")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddSpareKey(t.Context(), spare("k", sealed)); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, keyFile)
	if err := errors.Join(s.Close(), os.Rename(key, key+".away")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openData(t.Context(), dir); !errors.Is(err, store.ErrWrongKey) || !strings.Contains(err.Error(), key) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key was made: %v", err)
	}
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	if s, _, err = openData(t.Context(), dir); err != nil {
		t.Fatalf("with its key: %v", err)
	}
	_ = s.Close()
}

func spare(kid string, sealed []byte) realm.SigningKey {
	return realm.SigningKey{ID: kid, Use: "sig", Algorithm: "RS256", State: "spare", Sealed: sealed}
}
