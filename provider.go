package latchkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
)

// Limits of calls to the provider, and how long its documents are kept.
const (
	callTimeout  = 10 * time.Second
	maxAnswer    = 1 << 20
	documentLife = time.Hour
	staleLife    = 24 * time.Hour
	refetchPause = 30 * time.Second
)

// metadata is what the package needs of the provider's document.
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Userinfo      string   `json:"userinfo_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	EndSession    string   `json:"end_session_endpoint"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	UserinfoAlgs  []string `json:"userinfo_signing_alg_values_supported"`
	TokenAuth     []string `json:"token_endpoint_auth_methods_supported"`
	IssInResponse bool     `json:"authorization_response_iss_parameter_supported"`
}

// provider reads the provider's documents, lazily, and keeps them.
type provider struct {
	cfg    *Config
	client *http.Client

	mu     sync.Mutex
	meta   *metadata
	metaAt time.Time
	keys   *jose.Set
	keysAt time.Time // of the last answer
	reread time.Time // when they were last read again for an unknown kid
}

func newProvider(cfg *Config) *provider {
	return &provider{cfg: cfg, client: &http.Client{Transport: cfg.Transport, Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// base is where the documents are read: the issuer, or, where the token endpoint
// is given, the same realm as the server reaches it (split horizon). The issuer
// that the document names must be the configured one in either case.
func (p *provider) base() string {
	if base, ok := strings.CutSuffix(p.cfg.TokenEndpoint, "/protocol/openid-connect/token"); ok {
		return base
	}
	return strings.TrimSuffix(p.cfg.Issuer, "/")
}

// metadata gives the provider's document. One that was read before serves for a
// day when the provider does not answer.
func (p *provider) metadata(ctx context.Context) (*metadata, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	if p.meta != nil && now.Sub(p.metaAt) < documentLife {
		return p.meta, nil
	}
	m, err := p.readMetadata(ctx)
	if err != nil {
		if p.meta != nil && now.Sub(p.metaAt) < staleLife {
			return p.meta, nil
		}
		return nil, err
	}
	p.meta, p.metaAt = m, now
	return m, nil
}

func (p *provider) readMetadata(ctx context.Context) (*metadata, error) {
	var m metadata
	if err := p.getJSON(ctx, p.base()+"/.well-known/openid-configuration", &m); err != nil {
		return nil, p.withIssuerAdvice(err)
	}
	// "The issuer value returned MUST be identical to the Issuer URL" (OpenID
	// Connect Discovery 1.0, 4.3).
	if m.Issuer != p.cfg.Issuer {
		return nil, &loginError{reason: reasonIssuer, err: fmt.Errorf("the configuration says issuer %q, the provider says %q; set Issuer to %q if that is the provider you mean",
			p.cfg.Issuer, m.Issuer, m.Issuer)}
	}
	if p.cfg.TokenEndpoint != "" {
		m.Token = p.cfg.TokenEndpoint
	}
	if p.cfg.UserinfoEndpoint != "" {
		m.Userinfo = p.cfg.UserinfoEndpoint
	}
	if p.base() != strings.TrimSuffix(p.cfg.Issuer, "/") {
		m.JWKS = p.base() + "/protocol/openid-connect/certs"
	}
	if m.Authorization == "" || m.Token == "" || m.JWKS == "" {
		return nil, &loginError{reason: reasonProvider, err: errors.New("the provider's document lacks authorization_endpoint, token_endpoint or jwks_uri")}
	}
	return &m, nil
}

// withIssuerAdvice: a provider that answers, and has no document there, is no
// provider that is down. The issuer was copied wrongly, or its realm is gone, and
// trying again helps nobody.
func (p *provider) withIssuerAdvice(err error) error {
	e, ok := errors.AsType[*statusError](err)
	if !ok || e.status != http.StatusNotFound {
		return err
	}
	return &loginError{reason: reasonIssuer, err: fmt.Errorf("%w: there is no such realm; Issuer is %q; it stands %s", e, p.cfg.Issuer, where("Issuer"))}
}

// statusError is an answer of the provider that is not 200.
type statusError struct {
	address string
	status  int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s answered %d", e.address, e.status) }

// keySet gives the provider's keys. refetch asks anew because a kid was not found,
// right after an ordinary read too: keys rotate when they rotate. Again for the same
// cause it asks once in a while, so that forged tokens cannot make us flood the provider.
func (p *provider) keySet(ctx context.Context, jwks string, refetch bool) (*jose.Set, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	expired := p.keys == nil || now.Sub(p.keysAt) >= documentLife
	if !expired && (!refetch || now.Sub(p.reread) < refetchPause) {
		return p.keys, nil
	}
	if refetch {
		p.reread = now
	}
	set, err := p.readKeys(ctx, jwks)
	if err != nil {
		if p.keys != nil && now.Sub(p.keysAt) < staleLife {
			return p.keys, nil
		}
		return nil, err
	}
	p.keys, p.keysAt = set, now // a key that is gone is trusted no longer
	return set, nil
}

func (p *provider) readKeys(ctx context.Context, jwks string) (*jose.Set, error) {
	b, _, err := p.get(ctx, jwks, "")
	if err != nil {
		return nil, err
	}
	set, err := jose.ParseSet(b)
	if err != nil {
		return nil, &loginError{reason: reasonProvider, err: err}
	}
	return set, nil
}

func (p *provider) getJSON(ctx context.Context, address string, v any) error {
	b, _, err := p.get(ctx, address, "")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &loginError{reason: reasonProvider, err: fmt.Errorf("%s: %w", address, err)}
	}
	return nil
}

// get reads a document of the provider. bearer is an access token, or "".
func (p *provider) get(ctx context.Context, address, bearer string) (body []byte, contentType string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", &loginError{reason: reasonProvider, err: err}
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	status, body, contentType, err := p.do(req)
	if err == nil && status != http.StatusOK {
		err = &loginError{reason: reasonProvider, err: &statusError{address, status}}
	}
	return body, contentType, err
}

func (p *provider) do(req *http.Request) (status int, body []byte, contentType string, err error) {
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, nil, "", &loginError{reason: reasonUnreachable, err: withoutQuery(err)}
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(body) > maxAnswer {
		return 0, nil, "", &loginError{reason: reasonProvider, err: fmt.Errorf("%s: an answer that breaks off, or of more than %d bytes (%w)", req.URL.Path, maxAnswer, err)}
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode, body, kind, nil
}

// withoutQuery keeps what stands in an address out of the log.
func withoutQuery(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}

// tokenAnswer is the answer of the token endpoint.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	ExpiresIn    int64  `json:"expires_in"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

// token asks the token endpoint, once: a second try would find the code used up.
func (p *provider) token(ctx context.Context, m *metadata, form url.Values) (*tokenAnswer, error) {
	method := p.clientAuth(m)
	if method != ClientSecretBasic {
		form.Set("client_id", p.cfg.ClientID)
	}
	if method == ClientSecretPost {
		form.Set("client_secret", p.cfg.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &loginError{reason: reasonProvider, err: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if method == ClientSecretBasic {
		req.SetBasicAuth(url.QueryEscape(p.cfg.ClientID), url.QueryEscape(p.cfg.ClientSecret)) // RFC 6749, 2.3.1
	}
	status, body, _, err := p.do(req)
	if err != nil {
		return nil, err
	}
	return p.readToken(status, body)
}

func (p *provider) readToken(status int, body []byte) (*tokenAnswer, error) {
	var t tokenAnswer
	if err := json.Unmarshal(body, &t); err != nil {
		return nil, &loginError{reason: reasonProvider, err: fmt.Errorf("the token endpoint answered %d with what is no JSON: %w", status, err)}
	}
	if status != http.StatusOK {
		return nil, p.tokenRefused(status, &t)
	}
	if t.AccessToken == "" || !strings.EqualFold(t.TokenType, "Bearer") {
		return nil, &loginError{reason: reasonProvider, err: fmt.Errorf("the token endpoint gave no access token, or one of type %q", t.TokenType)}
	}
	return &t, nil
}

// tokenRefused says why the token endpoint gave nothing and, where a value of the
// configuration is wrong, which one and where the right one stands.
func (p *provider) tokenRefused(status int, t *tokenAnswer) error {
	reason, advice := reasonExchange, ""
	switch {
	case status >= http.StatusInternalServerError:
		reason = reasonProvider
	case t.Error == "invalid_client" || t.Error == "unauthorized_client":
		reason = reasonClient
		advice = fmt.Sprintf("; compare ClientID (%q) and ClientSecret with what stands %s", p.cfg.ClientID, where("ClientSecret"))
	}
	return &loginError{reason: reason, code: t.Error, err: fmt.Errorf("the token endpoint answered %d: %s: %s%s", status, t.Error, t.Description, advice)}
}

// clientAuth is the configured method, or what the provider lists.
func (p *provider) clientAuth(m *metadata) ClientAuth {
	switch {
	case p.cfg.ClientAuth != "":
		return p.cfg.ClientAuth
	case p.cfg.ClientSecret == "":
		return NoClientAuth
	case len(m.TokenAuth) == 0 || slices.Contains(m.TokenAuth, string(ClientSecretBasic)):
		return ClientSecretBasic // "If omitted, the default is client_secret_basic" (OpenID Connect Discovery 1.0, 3)
	}
	return ClientSecretPost
}
