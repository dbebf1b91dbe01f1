package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
)

// Algorithms by their names in RFC 7518 and RFC 8037.
const (
	RS256   = "RS256"
	RS384   = "RS384"
	RS512   = "RS512"
	PS256   = "PS256"
	PS384   = "PS384"
	PS512   = "PS512"
	ES256   = "ES256"
	ES384   = "ES384"
	ES512   = "ES512"
	EdDSA   = "EdDSA"
	HS512   = "HS512"
	RSAOAEP = "RSA-OAEP"
)

// SignatureAlgorithms are the asymmetric algorithms, in which a realm may sign
// what others verify. "none" and MACs are not among them and never will be: with
// a MAC whoever can verify can forge.
func SignatureAlgorithms() []string {
	return []string{RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA}
}

// Uses of a key (RFC 7517, section 4.2).
const (
	UseSignature  = "sig"
	UseEncryption = "enc"
)

// ErrAlgorithm is the error for an algorithm this package does not offer.
var ErrAlgorithm = errors.New("jose: unknown algorithm")

// Key is a key with its algorithm. A public key has no Private; a symmetric one
// has Secret alone.
type Key struct {
	ID          string
	Algorithm   string
	Use         string
	Private     crypto.Signer
	Public      crypto.PublicKey
	Secret      []byte
	Certificate []byte // DER; nil without one
}

// Generate makes a key for the algorithm: RSA keys have 2048 bits, HS512
// secrets 128 bytes as Keycloak's. Its id is the RFC 7638 thumbprint, or random
// for a secret. It returns ErrAlgorithm for any other algorithm.
func Generate(algorithm string) (Key, error) {
	k := Key{Algorithm: algorithm, Use: UseSignature}
	var err error
	switch {
	case algorithm == HS512:
		k.Secret = make([]byte, 128)
		_, _ = rand.Read(k.Secret)
		k.ID = rand.Text()
		return k, nil
	case algorithm == RSAOAEP:
		k.Use = UseEncryption
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	case isRSA(algorithm):
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	case curveOf(algorithm) != nil:
		k.Private, err = ecdsa.GenerateKey(curveOf(algorithm), rand.Reader)
	case algorithm == EdDSA:
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return Key{}, fmt.Errorf("%w: %q", ErrAlgorithm, algorithm)
	}
	if err != nil {
		return Key{}, fmt.Errorf("jose: %w", err)
	}
	k.Public = k.Private.Public()
	k.ID, err = thumbprint(k.Public)
	return k, err
}

func isRSA(algorithm string) bool {
	return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
}

func curveOf(algorithm string) elliptic.Curve {
	switch algorithm {
	case ES256:
		return elliptic.P256()
	case ES384:
		return elliptic.P384()
	case ES512:
		return elliptic.P521()
	}
	return nil
}

func thumbprint(public crypto.PublicKey) (string, error) {
	jwk := gojose.JSONWebKey{Key: public}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("jose: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// MarshalPrivate is the private key in PKCS #8, or the secret itself.
func (k Key) MarshalPrivate() ([]byte, error) {
	if k.Secret != nil {
		return k.Secret, nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, fmt.Errorf("jose: %w", err)
	}
	return der, nil
}

// ParsePrivate reads what MarshalPrivate wrote.
func ParsePrivate(algorithm, id, use string, private []byte) (Key, error) {
	k := Key{ID: id, Algorithm: algorithm, Use: use}
	if algorithm == HS512 {
		k.Secret = private
		return k, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("jose: %w", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return Key{}, fmt.Errorf("%w: a %T signs nothing", ErrAlgorithm, parsed)
	}
	k.Private, k.Public = signer, signer.Public()
	return k, nil
}

// fits reports whether the key may be used with the algorithm: without it an
// RSA public key would pass as the secret of an HMAC (CVE-2015-9235 and its
// many successors).
func (k Key) fits(algorithm string) bool {
	if k.Algorithm != "" && k.Algorithm != algorithm {
		return false
	}
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		return isRSA(algorithm) && public.N.BitLen() >= 2048 && public.N.BitLen() <= 8192
	case *ecdsa.PublicKey:
		return curveOf(algorithm) == public.Curve
	case ed25519.PublicKey:
		return algorithm == EdDSA
	case nil:
		return algorithm == HS512 && len(k.Secret) >= 64
	}
	return false
}

// x5t256 is the certificate's thumbprint (RFC 7517, section 4.9).
func x5t256(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
