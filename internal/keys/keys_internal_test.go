package keys

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
)

// rows is a store of keys whose rows a test changes, as another process would.
type rows struct {
	Store
	of map[string][]realm.SigningKey
}

func (r *rows) SigningKeys(_ context.Context, realmID string) ([]realm.SigningKey, error) {
	return r.of[realmID], nil
}

func (r *rows) add(t *testing.T, k *Keeper, realmID, state string) string {
	t.Helper()
	key, err := jose.Generate(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	row, err := k.row(key, realmID, state)
	if err != nil {
		t.Fatal(err)
	}
	r.of[realmID] = append(r.of[realmID], row)
	return key.ID
}

func (r *rows) remove(realmID, kid string) {
	r.of[realmID] = slices.DeleteFunc(slices.Clone(r.of[realmID]), func(row realm.SigningKey) bool { return row.ID == kid })
}

// A key that leaked was retired: its private half must not stay in the memory of a
// server that nobody starts anew (S-46).
func TestAKeyThatTheRealmHasNoMoreIsForgotten(t *testing.T) {
	in := &realm.Realm{ID: "r"}
	for name, look := range map[string]func(*Keeper) error{
		"active": func(k *Keeper) error { _, err := k.Active(t.Context(), in, jose.ES256); return err },
		"set":    func(k *Keeper) error { _, err := k.Set(t.Context(), in); return err },
		"tidy":   func(k *Keeper) error { return k.Tidy(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			k, store := keeper(t)
			old, now := store.add(t, k, "r", Passive), store.add(t, k, "r", Active)
			other := store.add(t, k, "elsewhere", Active)
			for _, id := range []string{"r", "elsewhere"} {
				if _, err := k.Set(t.Context(), &realm.Realm{ID: id}); err != nil {
					t.Fatal(err)
				}
			}
			if !k.holds("r", old) || !k.holds("r", now) {
				t.Fatal("nothing is kept")
			}
			store.remove("r", old)
			if err := look(k); err != nil {
				t.Fatal(err)
			}
			if k.holds("r", old) {
				t.Error("the key is still there")
			}
			if !k.holds("r", now) || !k.holds("elsewhere", other) {
				t.Error("what the realms have is parsed anew each time")
			}
		})
	}
}

func TestTheKeysOfARealmThatIsGoneAreForgotten(t *testing.T) {
	k, store := keeper(t)
	kid := store.add(t, k, "r", Active)
	if _, err := k.Active(t.Context(), &realm.Realm{ID: "r"}, jose.ES256); err != nil || !k.holds("r", kid) {
		t.Fatal(err)
	}
	delete(store.of, "r")
	if err := k.Tidy(t.Context()); err != nil || len(k.parsed) != 0 {
		t.Errorf("%d realms are kept, %v", len(k.parsed), err)
	}
}

// Two looks side by side, of which one has read the rows before the key went.
func TestALateLookDoesNotBringAKeyBack(t *testing.T) {
	k, store := keeper(t)
	old := store.add(t, k, "r", Passive)
	store.add(t, k, "r", Active)
	before := store.of["r"]
	store.remove("r", old)
	for _, all := range [][]realm.SigningKey{before, store.of["r"], before, store.of["r"]} {
		if _, err := k.look("r", all, all); err != nil {
			t.Fatal(err)
		}
	}
	if k.holds("r", old) {
		t.Error("the key is still there")
	}
}

func keeper(t *testing.T) (*Keeper, *rows) {
	t.Helper()
	ring, err := seal.NewRing(seal.RandomSecret())
	if err != nil {
		t.Fatal(err)
	}
	store := &rows{of: map[string][]realm.SigningKey{}}
	return &Keeper{Store: store, Seal: ring, Now: time.Now}, store
}

func (k *Keeper) holds(realmID, kid string) bool { _, ok := k.parsed[realmID][kid]; return ok }
