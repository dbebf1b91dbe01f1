package adminapi

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/keys"
	"github.com/latchkey-id/latchkey/internal/realm"
)

func keyRoutes() []route {
	return []route{
		{http.MethodGet, "realms/{realm}/keys", []string{"view-realm", "manage-realm"}, (*API).listKeys},
	}
}

// keysMetadata is Keycloak's KeysMetadataRepresentation: active names the key of
// each algorithm that is used now.
type keysMetadata struct {
	Active map[string]string `json:"active"`
	Keys   []keyMetadata     `json:"keys"`
}

// keyMetadata is Keycloak's KeyMetadataRepresentation. A key here has no provider
// component of its own, so it is named by its kid; validTo is the certificate's
// end in milliseconds since 1970. Nothing private is in it.
type keyMetadata struct {
	Provider    string `json:"providerId"`
	Priority    int    `json:"providerPriority"`
	ID          string `json:"kid"`
	Status      string `json:"status"`
	Type        string `json:"type"`
	Algorithm   string `json:"algorithm"`
	PublicKey   string `json:"publicKey,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	Use         string `json:"use"`
	ValidTo     int64  `json:"validTo,omitempty"`
}

// listKeys shows a realm's keys. What a new realm of Keycloak has from its first
// moment is made now, so that the answer does not depend on who logged in before.
func (a *API) listKeys(c *call) error {
	keeper := a.Issuer.Keys
	for _, algorithm := range []string{jose.HS512, jose.RS256, keys.SignatureAlgorithm(c.realm), jose.RSAOAEP} {
		if _, err := keeper.Active(c.ctx(), c.realm, algorithm); err != nil {
			return err
		}
	}
	set, err := keeper.Set(c.ctx(), c.realm)
	if err != nil {
		return err
	}
	rows, err := a.Store.SigningKeys(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	// The key that seals what is secret in the database: AES-256 in GCM.
	sealing := a.Issuer.Seal.ID()
	out := keysMetadata{Active: map[string]string{"AES": sealing},
		Keys: []keyMetadata{{Provider: sealing, Priority: 100, ID: sealing, Status: "ACTIVE", Type: "OCT", Algorithm: "AES", Use: "ENC"}}}
	for _, row := range rows {
		for _, k := range set.Keys() {
			if k.ID != row.ID {
				continue
			}
			m, err := describeKey(row, k)
			if err != nil {
				return err
			}
			if row.State == keys.Active {
				out.Active[row.Algorithm] = row.ID
			}
			out.Keys = append(out.Keys, m)
		}
	}
	return c.json(out)
}

func describeKey(row realm.SigningKey, k jose.Key) (keyMetadata, error) {
	m := keyMetadata{Provider: row.ID, Priority: row.Priority, ID: row.ID, Status: strings.ToUpper(row.State), Algorithm: row.Algorithm, Use: strings.ToUpper(row.Use)}
	switch k.Public.(type) {
	case *rsa.PublicKey:
		m.Type = "RSA"
	case *ecdsa.PublicKey:
		m.Type = "EC"
	case ed25519.PublicKey:
		m.Type = "OKP"
	default:
		m.Type = "OCT"
		return m, nil
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return m, fmt.Errorf("adminapi: %w", err)
	}
	m.PublicKey = base64.StdEncoding.EncodeToString(der)
	if k.Certificate == nil {
		return m, nil
	}
	cert, err := x509.ParseCertificate(k.Certificate)
	if err != nil {
		return m, fmt.Errorf("adminapi: the certificate of key %s: %w", row.ID, err)
	}
	m.Certificate, m.ValidTo = base64.StdEncoding.EncodeToString(k.Certificate), cert.NotAfter.UnixMilli()
	return m, nil
}
