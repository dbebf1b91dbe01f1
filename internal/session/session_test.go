package session

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
)

// What is taken from a cookie is one whole value of our form, and what is looked
// up in its place is its hash, never itself (S-37, B4).
func FuzzCookies(f *testing.F) {
	v := NewValue()
	for _, s := range []string{identityCookie + "=" + v.Text, identityCookie + "=" + v.Text + "; " + identityCookie + "=x", identityCookie + "=" + v.Text[:42], identityCookie + "=" + v.Text + "=",
		identityCookie + `="` + v.Text + `"`, strings.ToLower(identityCookie) + "=" + v.Text, "x=" + identityCookie + "=" + v.Text, identityCookie + "=\x00", identityCookie,
		identityCookie + "=" + v.Text + ".node1", strings.Repeat("a=b; ", 1000) + identityCookie + "=" + v.Text, identityCookie + "=;", ";=;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		got, ok := read(r, identityCookie)
		if !ok {
			if got.Text != "" || got.Hash != nil {
				t.Errorf("refused, and yet %+v", got)
			}
			return
		}
		if sum := sha256.Sum256([]byte(got.Text)); len(got.Text) != 43 || !bytes.Equal(got.Hash, sum[:]) || !strings.Contains(header, got.Text) {
			t.Errorf("%q gives %+v", header, got)
		}
	})
}
