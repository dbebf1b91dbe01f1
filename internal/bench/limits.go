package bench

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/password"
)

// Keys of the limits.
const (
	limitBare       = "bare_handler"
	limitBareReads  = "bare_token_reads"
	limitRS256      = "rs256_signature"
	limitES256      = "es256_signature"
	limitVerify     = "rs256_verification"
	limitArgon2id   = "argon2id"
	limitPointRead  = "point_read"
	limitWrite      = "durable_write"
	limitTokenReads = "token_reads"
)

// limitTexts say what each limit is, in the order of the report.
func limitTexts() [][2]string {
	return [][2]string{
		{limitBare, "a net/http handler that reads a form and answers 1.5 kB, through the same client"},
		{limitBareReads, "that handler with one verification and the token reads in it: in one request, so that waiting counts alike"},
		{limitRS256, "SHA-256 and one RSA-2048 signature, nothing around it"},
		{limitES256, "SHA-256 and one P-256 signature, nothing around it"},
		{limitVerify, "SHA-256 and one RSA-2048 verification, nothing around it"},
		{limitArgon2id, "one password hash at Keycloak's cost"},
		{limitPointRead, "one row by its primary key, through the store"},
		{limitWrite, "one row inserted, on the disk when it returns, through the store"},
		{limitTokenReads, "the point reads of introspection and userinfo, alone: the product's own one statement, through the store"},
	}
}

// limits are what this machine can do at best.
type limits struct {
	own    *own
	bare   *http.Server
	base   string
	client *client
	rs     *rsa.PrivateKey
	es     *ecdsa.PrivateKey
	signed []byte
	input  []byte // about as long as what is signed of a token
	pool   *password.Pool
	hash   password.Hash
	access access

	realm, clientID string // ids of the own provider's bench realm and client
	written         int
}

func newLimits(ctx context.Context, o *own) (*limits, error) {
	l := &limits{own: o, client: newClient(false), input: []byte(strings.Repeat("x", 1000))}
	var err error
	if l.rs, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if l.es, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if l.signed, err = l.signRSA(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if l.pool, err = password.NewPool(1, password.Keycloak()); err != nil {
		return nil, err
	}
	if l.hash, err = l.pool.Hash(ctx, "a password"); err != nil {
		return nil, err
	}
	in, err := o.store.RealmByName(ctx, o.server.at.Name)
	if err != nil {
		return nil, err
	}
	l.realm = in.ID
	if err := l.loginOnce(ctx); err != nil {
		return nil, err
	}
	return l, l.serveBare()
}

func (l *limits) serveBare() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	doc := []byte(`{"access_token":"` + strings.Repeat("x", 1500) + `"}`)
	l.base = "http://" + listener.Addr().String()
	l.bare = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/reads" {
			if err := errors.Join(l.verify(r.Context()), l.tokenReads(r.Context())); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(doc)
	})}
	go func() { _ = l.bare.Serve(listener) }() // ends with close
	return nil
}

func (l *limits) close() { _ = l.bare.Close() }

func (l *limits) signRSA() ([]byte, error) {
	sum := sha256.Sum256(l.input)
	return rsa.SignPKCS1v15(nil, l.rs, crypto.SHA256, sum[:])
}

func (l *limits) verify(context.Context) error {
	sum := sha256.Sum256(l.input)
	return rsa.VerifyPKCS1v15(&l.rs.PublicKey, crypto.SHA256, sum[:], l.signed)
}

func (l *limits) probes() []probe {
	return []probe{
		{key: limitBare, times: inARow, run: l.bareHandler("/")},
		{key: limitBareReads, times: inARow, run: l.bareHandler("/reads")},
		timed(limitRS256, func(context.Context) error { _, err := l.signRSA(); return err }),
		timed(limitES256, func(context.Context) error {
			sum := sha256.Sum256(l.input)
			_, err := ecdsa.SignASN1(rand.Reader, l.es, sum[:])
			return err
		}),
		timed(limitVerify, l.verify),
		timed(limitArgon2id, func(ctx context.Context) error { _, _, err := l.pool.Verify(ctx, "a password", l.hash); return err }),
		timed(limitWrite, func(ctx context.Context) error {
			l.written++
			return l.own.store.UseOnce(ctx, l.realm, "bench", strconv.Itoa(l.written), time.Now())
		}),
		timed(limitPointRead, l.pointRead),
		timed(limitTokenReads, l.tokenReads),
	}
}

func (l *limits) bareHandler(path string) func(context.Context) (time.Duration, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientRS256}, "client_secret": {l.own.server.clientSecret}}
	return func(ctx context.Context) (time.Duration, error) {
		_, took, err := l.client.want(ctx, http.StatusOK, call{method: http.MethodPost, address: l.base + path, form: form})
		return took, err
	}
}
