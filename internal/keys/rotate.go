package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/realm"
)

// margin is added to the life of the last token that a key can have signed:
// other nodes look for new keys once a second, and clocks differ.
const margin = time.Minute

// Errors of rotation. ErrTaken: another process changed the same key meanwhile.
var (
	ErrTaken   = errors.New("keys: another process changed this key at the same time; look again with `latchkey keys list`")
	ErrUnknown = errors.New("keys: the realm has no such key")
	ErrActive  = errors.New("keys: this key signs at present; rotate it first, or retire it with --force, which makes another at once and ends everything signed with this one")
)

// AliveError refuses to retire a key while what it signed may still be in use.
type AliveError struct{ Until time.Time }

func (e *AliveError) Error() string {
	return fmt.Sprintf("keys: tokens signed with this key may be alive until %s; retire it then, or with --force at once, which ends them", e.Until.UTC().Format(time.RFC3339))
}

// Known are the algorithms of the keys that a realm may have: those of tokens
// that others read, HS512 for refresh tokens and RSA-OAEP for what is encrypted to us.
func Known() []string { return append(jose.SignatureAlgorithms(), jose.HS512, jose.RSAOAEP) }

// Rotate gives the realm another active key for the algorithm. The one before is
// passive from then on: it signs nothing any more, and still verifies. The new
// key's id is returned. ErrTaken: another process rotated at the same time, and
// its key is the active one. jose.ErrAlgorithm: not one of Known.
func (k *Keeper) Rotate(ctx context.Context, r *realm.Realm, algorithm string) (kid string, err error) {
	if !slices.Contains(Known(), algorithm) {
		return "", fmt.Errorf("%w: %q; it has to be one of %s", jose.ErrAlgorithm, algorithm, strings.Join(Known(), ", "))
	}
	old, err := k.Active(ctx, r, algorithm)
	if err != nil {
		return "", err
	}
	next, err := k.make(ctx, r, algorithm)
	if err != nil {
		return "", err
	}
	if err := k.Store.RotateSigningKey(ctx, old.ID, next); err != nil {
		return "", k.taken(err)
	}
	return next.ID, nil
}

// Retire takes a key away, its private half included: what it signed is worth
// nothing from then on. life is how long the longest-lived token signed with it
// may live. Unless forced it is refused for an active key (ErrActive) and while
// such a token may live (*AliveError). A forced retirement is for a key that
// leaked: an active key's successor, whose id is returned, is there with the same write.
func (k *Keeper) Retire(ctx context.Context, r *realm.Realm, kid string, life time.Duration, force bool) (next string, err error) {
	all, err := k.Store.SigningKeys(ctx, r.ID)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(row realm.SigningKey) bool { return row.ID == kid })
	if i < 0 {
		return "", fmt.Errorf("%w: %q in realm %q", ErrUnknown, kid, r.Name)
	}
	switch until, passive := RetireAfter(all, all[i], life); {
	case force:
	case !passive:
		return "", ErrActive
	case k.Now().Before(until):
		return "", &AliveError{Until: until}
	}
	return k.retire(ctx, r, all[i])
}

func (k *Keeper) retire(ctx context.Context, r *realm.Realm, row realm.SigningKey) (string, error) {
	if row.State != Active {
		return "", k.taken(k.Store.RetireSigningKey(ctx, row, nil))
	}
	next, err := k.make(ctx, r, row.Algorithm)
	if err != nil {
		return "", err
	}
	return next.ID, k.taken(k.Store.RetireSigningKey(ctx, row, &next))
}

func (k *Keeper) taken(err error) error {
	if k.Conflict != nil && errors.Is(err, k.Conflict) {
		return ErrTaken
	}
	return err
}

// RetireAfter says when the last token signed with a passive key has expired;
// passive is false for a key that still signs. A key became passive when its
// successor was made; where that one is gone, the next after it counts, which is
// later and so on the safe side.
func RetireAfter(all []realm.SigningKey, row realm.SigningKey, life time.Duration) (until time.Time, passive bool) {
	if row.State == Active {
		return time.Time{}, false
	}
	var since time.Time
	for _, other := range all {
		if other.ID == row.ID || other.Use != row.Use || other.Algorithm != row.Algorithm || other.CreatedAt.Before(row.CreatedAt) {
			continue
		}
		if since.IsZero() || other.CreatedAt.Before(since) {
			since = other.CreatedAt
		}
	}
	return since.Add(life + margin), true
}
