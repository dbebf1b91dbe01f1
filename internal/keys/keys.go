// Package keys makes, keeps and publishes a realm's keys: made when first
// needed, sealed in the store, one key for each use and algorithm.
//
// It signs nothing itself: token does, with what Active gives. discovery
// publishes what Published gives.
package keys

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
)

// States of a key: an active one signs, a passive one only verifies.
const (
	Active  = "active"
	Passive = "passive"
	spare   = "spare"
)

// spares is how many RSA keys are kept ready: making one takes as long as many
// logins.
const spares = 2

// Store is what keys are kept in; *store.Store satisfies it.
type Store interface {
	SigningKeys(ctx context.Context, realmID string) ([]realm.SigningKey, error)
	AddSigningKey(ctx context.Context, k realm.SigningKey) (realm.SigningKey, error)
	AddSpareKey(ctx context.Context, k realm.SigningKey) error
	SpareKeys(ctx context.Context, algorithm string) (int, error)
	TakeSpareKey(ctx context.Context, algorithm string) (realm.SigningKey, error)
	RotateSigningKey(ctx context.Context, old string, next realm.SigningKey) error
	RetireSigningKey(ctx context.Context, old realm.SigningKey, next *realm.SigningKey) error
}

// Keeper gives keys. What it has parsed stays in memory while the realm has the
// key: a private half that was retired is not kept until the program ends.
type Keeper struct {
	Store    Store
	Seal     *seal.Ring
	Now      func() time.Time
	Logger   *slog.Logger
	NotFound error // what Store returns when there is no spare key
	Conflict error // what Store returns when another process was first

	mu     sync.Mutex
	parsed map[string]map[string]jose.Key // realm id → kid, which never names two different keys
}

// Active gives the key that signs with the algorithm in a realm, made now if
// there is none.
func (k *Keeper) Active(ctx context.Context, r *realm.Realm, algorithm string) (jose.Key, error) {
	all, err := k.Store.SigningKeys(ctx, r.ID)
	if err != nil {
		return jose.Key{}, err
	}
	for i, row := range all {
		if row.Algorithm == algorithm && row.State == Active {
			found, err := k.look(r.ID, all, all[i:i+1])
			if err != nil {
				return jose.Key{}, err
			}
			return found[0], nil
		}
	}
	return k.create(ctx, r, algorithm)
}

// Set gives every key of the realm, passive ones included: to verify with.
func (k *Keeper) Set(ctx context.Context, r *realm.Realm) (*jose.Set, error) {
	all, err := k.Store.SigningKeys(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	out, err := k.look(r.ID, all, all)
	if err != nil {
		return nil, err
	}
	return jose.NewSet(out...), nil
}

// Published gives the keys of the public document. A realm has at least an RS256
// key, one for its own algorithm and one to encrypt to, as Keycloak's have.
func (k *Keeper) Published(ctx context.Context, r *realm.Realm) (*jose.Set, error) {
	for _, algorithm := range []string{jose.RS256, SignatureAlgorithm(r), jose.RSAOAEP} {
		if _, err := k.Active(ctx, r, algorithm); err != nil {
			return nil, err
		}
	}
	return k.Set(ctx, r)
}

// SignatureAlgorithm is what a realm signs tokens with, RS256 unless it says so.
func SignatureAlgorithm(r *realm.Realm) string {
	if r.DefaultSignatureAlgorithm == "" {
		return jose.RS256
	}
	return r.DefaultSignatureAlgorithm
}

func (k *Keeper) create(ctx context.Context, r *realm.Realm, algorithm string) (jose.Key, error) {
	row, err := k.make(ctx, r, algorithm)
	if err != nil {
		return jose.Key{}, err
	}
	if row, err = k.Store.AddSigningKey(ctx, row); err != nil {
		return jose.Key{}, err
	}
	return k.open(row)
}

// make makes an active key that is not written yet. RSA keys have a certificate,
// as Keycloak's have; keys on curves have none there either.
func (k *Keeper) make(ctx context.Context, r *realm.Realm, algorithm string) (realm.SigningKey, error) {
	key, err := k.fresh(ctx, algorithm)
	if err != nil {
		return realm.SigningKey{}, err
	}
	if _, ok := key.Public.(*rsa.PublicKey); ok {
		if key.Certificate, err = k.certificate(key, r.Name); err != nil {
			return realm.SigningKey{}, err
		}
	}
	return k.row(key, r.ID, Active)
}

// fresh takes a spare key, or makes one.
func (k *Keeper) fresh(ctx context.Context, algorithm string) (jose.Key, error) {
	row, err := k.Store.TakeSpareKey(ctx, algorithm)
	if errors.Is(err, k.NotFound) {
		return jose.Generate(algorithm)
	}
	if err != nil {
		return jose.Key{}, err
	}
	return k.open(row)
}

// Tidy forgets the keys that realms have no more, of realms too at which nobody
// looks any more because they are gone. It is called in the background.
func (k *Keeper) Tidy(ctx context.Context) error {
	k.mu.Lock()
	ids := slices.Collect(maps.Keys(k.parsed))
	k.mu.Unlock()
	for _, id := range ids {
		all, err := k.Store.SigningKeys(ctx, id)
		if err != nil {
			return err
		}
		if _, err := k.look(id, all, nil); err != nil {
			return err
		}
	}
	return nil
}

// KeepSpares fills the pool of spare RSA keys. It is called in the background.
func (k *Keeper) KeepSpares(ctx context.Context) error {
	for _, algorithm := range []string{jose.RS256, jose.RSAOAEP} {
		n, err := k.Store.SpareKeys(ctx, algorithm)
		if err != nil {
			return err
		}
		for ; n < spares; n++ {
			if err := k.addSpare(ctx, algorithm); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *Keeper) addSpare(ctx context.Context, algorithm string) error {
	key, err := jose.Generate(algorithm)
	if err != nil {
		return err
	}
	row, err := k.row(key, "", spare)
	if err != nil {
		return err
	}
	return k.Store.AddSpareKey(ctx, row)
}

func (k *Keeper) row(key jose.Key, realmID, state string) (realm.SigningKey, error) {
	private, err := key.MarshalPrivate()
	if err != nil {
		return realm.SigningKey{}, err
	}
	sealed, err := k.Seal.Seal(private, "signing_keys", key.ID, "private")
	if err != nil {
		return realm.SigningKey{}, fmt.Errorf("keys: %w", err)
	}
	return realm.SigningKey{ID: key.ID, RealmID: realmID, Use: key.Use, Algorithm: key.Algorithm, State: state, Sealed: sealed,
		Public: key.Certificate, CreatedAt: k.Now(), Priority: 100}, nil
}

// look parses some of a realm's keys. all are those that the realm has: what was
// parsed before and is not among them is forgotten.
func (k *Keeper) look(realmID string, all, some []realm.SigningKey) ([]jose.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	parsed := k.parsed[realmID]
	maps.DeleteFunc(parsed, func(kid string, _ jose.Key) bool {
		return !slices.ContainsFunc(all, func(row realm.SigningKey) bool { return row.ID == kid })
	})
	out := make([]jose.Key, 0, len(some))
	for _, row := range some {
		key, ok := parsed[row.ID]
		if !ok {
			var err error
			if key, err = k.open(row); err != nil {
				return nil, err
			}
			if parsed == nil {
				parsed = map[string]jose.Key{}
			}
			parsed[row.ID] = key
		}
		out = append(out, key)
	}
	k.keep(realmID, parsed)
	return out, nil
}

func (k *Keeper) keep(realmID string, parsed map[string]jose.Key) {
	if len(parsed) == 0 {
		delete(k.parsed, realmID)
		return
	}
	if k.parsed == nil {
		k.parsed = map[string]map[string]jose.Key{}
	}
	k.parsed[realmID] = parsed
}

func (k *Keeper) open(row realm.SigningKey) (jose.Key, error) {
	private, err := k.Seal.Open(row.Sealed, "signing_keys", row.ID, "private")
	if err != nil {
		return jose.Key{}, fmt.Errorf("keys: key %s of realm %s: %w; is this the sealing key that it was made with?", row.ID, row.RealmID, err)
	}
	key, err := jose.ParsePrivate(row.Algorithm, row.ID, row.Use, private)
	if err != nil {
		return jose.Key{}, err
	}
	key.Certificate = row.Public
	return key, nil
}

// certificate wraps a public key as Keycloak does: self-signed, ten years, the
// realm's name. Nothing trusts it; clients that want x5c find one.
func (k *Keeper) certificate(key jose.Key, realmName string) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	t := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: realmName}, NotBefore: k.Now().Add(-time.Minute), NotAfter: k.Now().AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public, key.Private)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return der, nil
}
