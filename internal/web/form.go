package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/ui"
)

// Limits of what comes from outside (S-110).
const (
	MaxForm   = 64 << 10 // bytes of a form
	MaxQuery  = 32 << 10 // bytes of a query
	MaxFields = 1000
)

// ParseForm reads the form in a request's body and nothing of its URL. A body
// that is not a form gives no values, as Keycloak does; one that is too large or
// broken is refused.
func ParseForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if !isForm(r.Header.Get("Content-Type")) {
		return url.Values{}, nil
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, MaxForm), r.ContentLength)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, oauth.RefuseBecause(oauth.TooLarge, err)
	}
	if err != nil {
		return nil, oauth.RefuseBecause(oauth.InvalidForm, err)
	}
	return parse(string(body))
}

const formType = "application/x-www-form-urlencoded"

func isForm(contentType string) bool {
	if contentType == formType {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == formType
}

// readAll is io.ReadAll with room for as much as was announced, which r limits: what
// is announced is believed no further than that.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, min(max(announced, 0), MaxForm)+bytes.MinRead))
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// ParseQuery reads the parameters of a request's URL.
func ParseQuery(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > MaxQuery {
		return nil, oauth.Refuse(oauth.TooLarge, "")
	}
	return parse(r.URL.RawQuery)
}

func parse(raw string) (url.Values, error) {
	if strings.Count(raw, "&") >= MaxFields {
		return nil, oauth.Refuse(oauth.TooLarge, "")
	}
	v, err := url.ParseQuery(raw)
	if err != nil {
		return nil, oauth.RefuseBecause(oauth.InvalidForm, err)
	}
	for name, values := range v {
		if noText(name) || slices.ContainsFunc(values, noText) {
			return nil, oauth.Refuse(oauth.InvalidForm, "")
		}
	}
	return v, nil
}

// noText: no name, password or address is like that, and not every database keeps it.
func noText(s string) bool { return strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) }

// Single refuses a parameter that stands twice: "Request and response parameters
// MUST NOT be included more than once" (RFC 6749, section 3.1).
func Single(v url.Values) error {
	for name, values := range v {
		if len(values) > 1 {
			return oauth.Refuse(oauth.DuplicatedParameter, name)
		}
	}
	return nil
}

// Authorization gives the scheme and the credentials that a request proves itself
// with: "auth-scheme [ 1*SP ( token68 / #auth-param ) ]" (RFC 9110, section 11.4). Ok is
// false for two headers: two readers would believe two of them.
func Authorization(r *http.Request) (scheme, credentials string, ok bool) {
	scheme, credentials, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	return scheme, strings.Trim(credentials, " "), len(r.Header.Values("Authorization")) <= 1
}

func detailsOf(err error) ([]ui.Detail, bool) {
	d, ok := errors.AsType[*Detailed](err)
	if !ok {
		return nil, false
	}
	return d.Details, true
}
