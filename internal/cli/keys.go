package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/keys"
	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
)

const keysUsage = "keys list|rotate|retire KID --data DIR | --db postgres://… [--realm REALM]"

// keysFlags are the flags of keys.
type keysFlags struct {
	storeFlags
	realm, algorithm, kid string
	force, json           bool
}

// keyring is an open store with one of its realms.
type keyring struct {
	store  *store.Store
	keeper *keys.Keeper
	realm  *realm.Realm
}

// runKeys shows, rotates and retires a realm's keys. It works on the store
// itself, beside a server that runs, which sees the change within a second.
func runKeys(ctx context.Context, e *Env, args []string) error {
	actions := map[string]func(context.Context, *Env, keyring, keysFlags) error{"list": listKeys, "rotate": rotateKey, "retire": retireKey}
	if len(args) == 0 || actions[args[0]] == nil {
		return usagef("%s", keysUsage)
	}
	action, args := args[0], args[1:]
	var o keysFlags
	f := newFlags(e, "keys "+action, "--data DIR | --db postgres://… [--realm REALM]")
	o.register(f)
	f.StringVar(&o.realm, "realm", manage.Master, "`realm` of the keys")
	switch action {
	case "list":
		f.BoolVar(&o.json, "json", false, "one JSON document to standard output")
	case "rotate":
		f.StringVar(&o.algorithm, "algorithm", "", "`algorithm` whose key is replaced; the realm's own without it, HS512 for refresh tokens")
	case "retire":
		f.StringVar(&o.kid, "kid", "", "`id` of the key, in place of the argument")
		f.BoolVar(&o.force, "force", false, "at once, for a key that leaked: everything signed with it ends")
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			o.kid, args = args[0], args[1:]
		}
	}
	if err := f.parse(e, args, adminPassword, newPassword, sealingKeyVar); err != nil {
		return err
	}
	if err := o.check("keys " + action); err != nil {
		return err
	}
	if action == "retire" && o.kid == "" {
		return usagef("keys retire needs the KID of a key; keys list shows them")
	}
	ring, err := openKeyring(ctx, e, o)
	if err != nil {
		return err
	}
	defer ring.store.Close()
	return actions[action](ctx, e, ring, o)
}

func openKeyring(ctx context.Context, e *Env, o keysFlags) (keyring, error) {
	if err := o.exists(); err != nil {
		return keyring{}, err
	}
	log, err := newLogger(e, "text", "info")
	if err != nil {
		return keyring{}, err
	}
	s, ring, err := openStore(ctx, e, o.storeFlags, log)
	if err != nil {
		return keyring{}, err
	}
	in, err := s.RealmByName(ctx, o.realm)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("there is no realm %q", o.realm)
	}
	if err != nil {
		return keyring{}, errors.Join(err, s.Close())
	}
	return keyring{store: s, realm: in, keeper: &keys.Keeper{Store: s, Seal: ring, Now: time.Now, NotFound: store.ErrNotFound, Conflict: store.ErrConflict}}, nil
}

// life is how long a token signed with the key may live.
func (k keyring) life(ctx context.Context, algorithm string) (time.Duration, error) {
	clients, err := k.store.Clients(ctx, k.realm.ID, store.ClientFilter{})
	return token.LongestLife(k.realm, clients, algorithm), err
}

// keyLine is a key as list shows it.
type keyLine struct {
	ID          string     `json:"kid"`
	Algorithm   string     `json:"algorithm"`
	Use         string     `json:"use"`
	State       string     `json:"state"`
	CreatedAt   time.Time  `json:"created_at"`
	RetireAfter *time.Time `json:"retire_after,omitempty"` // of a passive key
}

func (l keyLine) after() string {
	if l.RetireAfter == nil {
		return "-"
	}
	return l.RetireAfter.Format(time.RFC3339)
}

func listKeys(ctx context.Context, e *Env, k keyring, o keysFlags) error {
	all, err := k.store.SigningKeys(ctx, k.realm.ID)
	if err != nil {
		return err
	}
	lines := []keyLine{}
	for _, row := range all {
		life, err := k.life(ctx, row.Algorithm)
		if err != nil {
			return err
		}
		l := keyLine{ID: row.ID, Algorithm: row.Algorithm, Use: row.Use, State: row.State, CreatedAt: row.CreatedAt.UTC()}
		if until, passive := keys.RetireAfter(all, row, life); passive {
			until = until.UTC().Truncate(time.Second)
			l.RetireAfter = &until
		}
		lines = append(lines, l)
	}
	if o.json {
		return json.NewEncoder(e.Stdout).Encode(lines)
	}
	w := tabwriter.NewWriter(e.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KID\tALGORITHM\tUSE\tSTATE\tMADE\tMAY BE RETIRED")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Algorithm, l.Use, l.State, l.CreatedAt.Format(time.RFC3339), l.after())
	}
	return w.Flush()
}

func rotateKey(ctx context.Context, e *Env, k keyring, o keysFlags) error {
	own := keys.SignatureAlgorithm(k.realm)
	if o.algorithm == "" {
		o.algorithm = own
	}
	kid, err := k.keeper.Rotate(ctx, k.realm, o.algorithm)
	if errors.Is(err, jose.ErrAlgorithm) {
		return usageError{err.Error()}
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(e.Stdout, kid)
	fmt.Fprintf(e.Stderr, "latchkey: %s is the %s key of realm %s from now on; the one before still verifies until it is retired\n", kid, o.algorithm, k.realm.Name)
	if o.algorithm != own && o.algorithm != jose.HS512 && o.algorithm != jose.RSAOAEP {
		fmt.Fprintf(e.Stderr, "latchkey: realm %s signs with %s unless a client says otherwise; its setting is defaultSignatureAlgorithm\n", k.realm.Name, own)
	}
	return nil
}

func retireKey(ctx context.Context, e *Env, k keyring, o keysFlags) error {
	algorithm := ""
	all, err := k.store.SigningKeys(ctx, k.realm.ID)
	if err != nil {
		return err
	}
	for _, row := range all {
		if row.ID == o.kid {
			algorithm = row.Algorithm
		}
	}
	life, err := k.life(ctx, algorithm)
	if err != nil {
		return err
	}
	next, err := k.keeper.Retire(ctx, k.realm, o.kid, life, o.force)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Stderr, "latchkey: key %s of realm %s is gone; what it signed is worth nothing any more\n", o.kid, k.realm.Name)
	if next != "" {
		fmt.Fprintln(e.Stdout, next)
		fmt.Fprintf(e.Stderr, "latchkey: %s signs in its place\n", next)
	}
	return nil
}
