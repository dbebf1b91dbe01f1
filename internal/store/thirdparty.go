package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// A realm and a client keep more than is used here, and in some of it stand
// credentials of other systems. Those members are kept whole in the column sealed,
// the rest in the document.

// secretOfRealm are the members of a realm's Extra that may hold such credentials.
func secretOfRealm() []string {
	return []string{"smtpServer", "components", "identityProviders", "authenticatorConfig", "userFederationProviders", "organizations", "federatedUsers"}
}

// secretOfClient are the members of a client's Extra, and its attributes.
func secretOfClient() (members, attributes []string) {
	return []string{"registrationAccessToken"}, []string{"client.secret.rotated", "saml.signing.private.key", "saml.encryption.private.key"}
}

// sealedPart is what the column holds.
type sealedPart struct {
	Extra      map[string]json.RawMessage `json:",omitempty"`
	Attributes map[string]string          `json:",omitempty"`
}

// part divides a map by the names of its entries; without a secret one it stays
// the map that it is.
func part[V any](in map[string]V, names []string) (rest, secret map[string]V) {
	for _, name := range names {
		v, ok := in[name]
		if !ok {
			continue
		}
		if secret == nil {
			rest, secret = maps.Clone(in), map[string]V{}
		}
		delete(rest, name)
		secret[name] = v
	}
	if secret == nil {
		return in, nil
	}
	return rest, secret
}

// together is the opposite; secret is added to rest.
func together[V any](rest, secret map[string]V) map[string]V {
	for name, v := range secret {
		if rest == nil {
			rest = map[string]V{}
		}
		rest[name] = v
	}
	return rest
}

// sealPart is nil for nothing.
func (s *Store) sealPart(p sealedPart, table, id string) ([]byte, error) {
	if len(p.Extra)+len(p.Attributes) == 0 {
		return nil, nil
	}
	plain, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	sealed, err := s.seal.Seal(plain, table, id, "sealed")
	return sealed, wrap(err)
}

func (s *Store) openPart(sealed []byte, table, id string) (p sealedPart, err error) {
	if len(sealed) == 0 {
		return p, nil
	}
	plain, err := s.seal.Open(sealed, table, id, "sealed")
	if err != nil {
		return p, wrap(err)
	}
	return p, decode(string(plain), &p)
}

// realmDoc gives the document of a realm, and its sealed part.
func (s *Store) realmDoc(r *realm.Realm) (doc string, sealed []byte, err error) {
	d, p := *r, sealedPart{}
	d.ID, d.Name, d.Version = "", "", 0
	d.Extra, p.Extra = part(r.Extra, secretOfRealm())
	if sealed, err = s.sealPart(p, "realms", r.ID); err != nil {
		return "", nil, err
	}
	doc, err = encode(d)
	return doc, sealed, err
}

// clientDoc gives the document of a client, and its sealed part.
func (s *Store) clientDoc(c *realm.Client) (doc string, sealed []byte, err error) {
	d, p := *c, sealedPart{}
	d.ID, d.RealmID, d.ClientID, d.Version, d.Gate, d.Enabled, d.SecretHash = "", "", "", 0, 0, false, nil
	d.RedirectURIs, d.WebOrigins, d.DefaultScopes, d.OptionalScopes = nil, nil, nil, nil
	members, attributes := secretOfClient()
	d.Extra, p.Extra = part(c.Extra, members)
	d.Attributes, p.Attributes = part(c.Attributes, attributes)
	if sealed, err = s.sealPart(p, "clients", c.ID); err != nil {
		return "", nil, err
	}
	doc, err = encode(d)
	return doc, sealed, err
}

// sealOld seals what an older program has written in clear.
func (s *Store) sealOld(ctx context.Context, tx *sql.Tx) error {
	if err := s.checkKey(ctx, tx); err != nil { // before anything is sealed with a wrong one
		return err
	}
	realms, err := list(ctx, tx, s.scanRealm, selectRealm)
	if err != nil {
		return err
	}
	for _, r := range realms {
		doc, sealed, err := s.realmDoc(r)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, "UPDATE realms SET doc = $1, sealed = $2 WHERE id = $3", doc, sealed, r.ID); err != nil {
			return err
		}
	}
	clients, err := list(ctx, tx, s.scanClient, selectClient)
	if err != nil {
		return err
	}
	for _, c := range clients {
		doc, sealed, err := s.clientDoc(c)
		if err != nil {
			return err
		}
		if sealed == nil {
			continue
		}
		if _, err := exec(ctx, tx, "UPDATE clients SET doc = $1, sealed = $2 WHERE id = $3", doc, sealed, c.ID); err != nil {
			return err
		}
	}
	return nil
}
