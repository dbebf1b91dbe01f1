package latchkey

import (
	"net/url"
	"strings"
	"testing"
)

func TestReturnAddress(t *testing.T) {
	for in, want := range map[string]string{
		"/protected": "/protected", "/a,b(c)?x=1,2": "/a,b(c)?x=1,2", "/a%2Cb": "/a%2Cb", "/": "/", "/a?next=//evil": "/a?next=//evil",
		"": "/", "//evil.example": "/", "//evil.example/x": "/", "///evil.example/x": "/", "/%2Fevil.example/x": "/", "//user@evil.example/x": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil`: "/", "https://evil.example/": "/", "https://evil.example/x": "/", "https:/x": "/", "http:evil": "/",
		"javascript:alert(1)": "/", "/%2F/evil.example": "/", "/%5Cevil.example": "/", "/a/../../evil": "/", "/a\tb": "/", "/\n/evil": "/", "evil": "/",
		"/%0d%0aSet-Cookie:x": "/", "/." + "/": "/./", "//": "/", "/@evil.example": "/@evil.example",
		"/" + strings.Repeat("a", maxReturn-1): "/" + strings.Repeat("a", maxReturn-1), "/" + strings.Repeat("a", maxReturn): "/",
		"/" + strings.Repeat("é", maxReturn/6): "/" + strings.Repeat("%C3%A9", maxReturn/6), "/" + strings.Repeat("é", maxReturn/6+1): "/", // longer when it is written anew
	} {
		if got := returnAddress(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func FuzzReturnAddress(f *testing.F) {
	for _, s := range []string{"/a", "//evil", `/\evil`, "/%2f/evil", "https://evil", "/a?b#c", "/\t/evil", "/..//evil"} {
		f.Add(s)
	}
	base, err := url.Parse("https://app.example/x/y")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := returnAddress(in)
		u, err := base.Parse(out)
		if err != nil || u.Host != "app.example" || u.Scheme != "https" || strings.ContainsAny(out, "\\\r\n\t") || strings.HasPrefix(out, "//") {
			t.Errorf("%q becomes %q, which leads to %v", in, out, u)
		}
		if again := returnAddress(out); again != out {
			t.Errorf("%q becomes %q and then %q", in, out, again)
		}
	})
}
