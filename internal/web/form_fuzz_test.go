package web_test

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/web"
)

// A form that is read holds what its body says, nothing of its URL, nothing
// twice once Single has seen it, and no more than the limits (S-05, S-110, A10).
func FuzzForm(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a=1&a=2", "a=1&%61=2", "a=1;a=2", "a=%", "a=%00", "=x", "&&&", "a", "grant_type=x&grant_type=x", "a=\xff", strings.Repeat("&", 1000),
		strings.Repeat("a=1&", 999), "a=" + strings.Repeat("x", 64<<10), "a[]=1&a[]=2", "a=1&A=2", "a=1&a%00=2", "a=1%26a=2"} {
		f.Add(s, "application/x-www-form-urlencoded")
	}
	for _, kind := range []string{"application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=utf-8", "text/plain", "", ";", "application/x-www-form-urlencoded, text/plain"} {
		f.Add("a=1", kind)
	}
	f.Fuzz(func(t *testing.T, body, kind string) {
		r := httptest.NewRequest("POST", "/?url=only&a=of-the-url", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		form, err := web.ParseForm(httptest.NewRecorder(), r)
		if err != nil {
			if reason := oauth.ReasonOf(err); form != nil || reason == oauth.ServerError {
				t.Errorf("refused as %v with %v", reason, form)
			}
			return
		}
		if form.Has("url") && !strings.Contains(body, "url") && !strings.Contains(body, "%") {
			t.Errorf("a value of the URL is in the form: %v", form)
		}
		if len(body) > web.MaxForm && len(form) > 0 || len(form) > web.MaxFields {
			t.Errorf("%d bytes, %d fields", len(body), len(form))
		}
		if web.Single(form) == nil {
			again, err := url.ParseQuery(form.Encode())
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for name, values := range form {
				total++
				if len(values) != 1 || again.Get(name) != values[0] {
					t.Errorf("%q is there as %q and reads back as %q", name, values, again[name])
				}
			}
			if pairs := nonEmpty(strings.Split(body, "&")); len(form) > 0 && pairs != total {
				t.Errorf("%d pairs in the body, %d in a form where nothing is twice", pairs, total)
			}
		} else if !errors.Is(web.Single(form), web.Single(form)) && oauth.ReasonOf(web.Single(form)) != oauth.DuplicatedParameter {
			t.Error("another reason than that something is there twice")
		}
	})
}

func nonEmpty(parts []string) (n int) {
	for _, p := range parts {
		if p != "" {
			n++
		}
	}
	return n
}
