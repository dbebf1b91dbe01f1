package storetest_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A migration that databases have seen is never changed: theirs would differ from
// a new one, and nothing would tell. What is new is another file, and another line
// here (the beginning of `sha256sum FILE`).
func TestMigrationsAreOnlyAppended(t *testing.T) {
	pinned := map[string]string{
		"postgres/0001_first.sql":    "5d5e353e5f78ab54",
		"postgres/0002_acting.sql":   "e81d296261b83b16",
		"postgres/0003_sealed.sql":   "6d8118a401e56c4f",
		"postgres/0004_somebody.sql": "9a272e007f6a85cf",
		"sqlite/0001_first.sql":      "d907a00a2f0b1919",
		"sqlite/0002_acting.sql":     "ace2702b171c1d13",
		"sqlite/0003_sealed.sql":     "596b37b806ce291f",
		"sqlite/0004_somebody.sql":   "9a272e007f6a85cf",
	}
	const folder = "../store/migrations/"
	files, err := filepath.Glob(folder + "*/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	got, number := map[string]string{}, map[string][]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		name := strings.TrimPrefix(filepath.ToSlash(file), folder)
		got[name] = hex.EncodeToString(sum[:8])
		engine, _, _ := strings.Cut(name, "/")
		number[engine] = append(number[engine], filepath.Base(file))
	}
	if diff := cmp.Diff(pinned, got); diff != "" {
		t.Errorf("a migration was changed, or one is not pinned here:\n%s", diff)
	}
	if diff := cmp.Diff(number["sqlite"], number["postgres"]); diff != "" {
		t.Errorf("a version means one thing on every engine:\n%s", diff)
	}
}

// Each file was written by the first program that had this migration: a realm
// imported, a user logged in.
func TestDatabasesOfOlderProgramsOpen(t *testing.T) {
	migrations, err := filepath.Glob("../store/migrations/sqlite/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range migrations {
		version, _, _ := strings.Cut(filepath.Base(m), "_")
		t.Run(version, func(t *testing.T) {
			o := store.Options{Path: older(t, version)}
			if o.Seal, err = seal.NewRing([]byte("the sealing key of an older program")); err != nil {
				t.Fatal(err)
			}
			for range 2 { // and once more, with nothing left to do
				s, err := store.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				isTheShop(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			b, err := os.ReadFile(o.Path)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte("a mail password")) {
				t.Error("the mail server's password stands in clear in the file")
			}
		})
	}
}

func older(t *testing.T, version string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "sqlite-"+version+".db.gz"))
	if err != nil {
		t.Fatalf("%v; a new migration comes with a file that the program has written which has it, see testdata/README.md", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "latchkey.db")
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func isTheShop(t *testing.T, s *store.Store) {
	t.Helper()
	all, err := s.ReadRealm(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(all.Realm.Extra["smtpServer"]); !strings.Contains(got, "a mail password") {
		t.Errorf("mail server %s", got)
	}
	till, err := s.ClientByClientID(t.Context(), all.Realm.ID, "till")
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := s.ClientSecret(t.Context(), all.Realm.ID, till.ID); err != nil || secret != "the secret of the till" {
		t.Errorf("secret %q, %v", secret, err)
	}
	if want := []string{"https://till.example/cb"}; !cmp.Equal(till.RedirectURIs, want) {
		t.Errorf("addresses %v", till.RedirectURIs)
	}
	alice, err := s.UserByUsername(t.Context(), all.Realm.ID, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"1", "2"}; !cmp.Equal(alice.Attributes["shelf"], want) || alice.FirstName != "Alice" {
		t.Errorf("user %+v", alice)
	}
	found, err := s.Credentials(t.Context(), all.Realm.ID, alice.ID)
	if err != nil || len(found) != 1 || found[0].Secret == "" {
		t.Errorf("credentials %+v, %v", found, err)
	}
	sessions, err := s.UserSessions(t.Context(), all.Realm.ID, alice.ID)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%d sessions, %v", len(sessions), err)
	}
	if parts, err := s.ClientSessions(t.Context(), all.Realm.ID, sessions[0].ID); err != nil || len(parts) != 1 || parts[0].ClientID != till.ID {
		t.Errorf("parts %+v, %v", parts, err)
	}
	keys, err := s.SigningKeys(t.Context(), all.Realm.ID)
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	if err := s.CreateAuthRequest(t.Context(), &realm.AuthRequest{ID: realm.NewID(), RealmID: all.Realm.ID, ClientID: till.ID, BrowserHash: []byte("b")}); err != nil {
		t.Errorf("it is not written to: %v", err)
	}
}

// A file that was copied while a server ran, or that a disk has lost parts of.
func TestADamagedFileIsCalledDamaged(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"no database": func([]byte) []byte { return []byte("it was a text, and it is one still") },
		"cut off":     func(b []byte) []byte { return b[:len(b)/3] },
		"overwritten": func(b []byte) []byte { copy(b[8192:], bytes.Repeat([]byte{0xaa}, 120_000)); return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := older(t, "0003")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Open(t.Context(), store.Options{Path: path, Seal: ring(t)}); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("opened: %v", err)
			}
			to := filepath.Join(t.TempDir(), "copy.db")
			if err := store.Backup(t.Context(), path, to); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("backed up: %v", err)
			}
			if _, err := os.Stat(to); err == nil {
				t.Error("half a copy is left")
			}
		})
	}
}
