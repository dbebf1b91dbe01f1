// Package ui is how Latchkey looks: one stylesheet, the templates, and every
// page as a value that renders itself.
//
// It is embedded files and html/template, nothing more: it serves nothing (web
// does) and decides nothing. The provider's surfaces, the relying party at the
// root and the guide's application call it. Pages work without JavaScript; their
// ids and names are Keycloak's, because scripts depend on them.
package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"sync"
)

//go:embed assets templates
var files embed.FS

// Page is a page that renders itself, whole.
type Page interface{ Render(w io.Writer) error }

// Asset is a file that pages refer to, at a path that names its content: it may
// be kept forever.
type Asset struct {
	Path, Type string
	Body       []byte
}

// AssetPrefix begins the path of every asset.
const AssetPrefix = "/resources/latchkey/"

// Assets are all files that pages refer to.
func Assets() []Asset {
	out := []Asset{asset("latchkey.css", "text/css; charset=utf-8")}
	for _, name := range []string{"post.js", "history.js", string(SessionScript), string(CookieSetScript), string(CookieReadScript)} {
		out = append(out, asset(name, "text/javascript; charset=utf-8"))
	}
	return out
}

func asset(name, kind string) Asset {
	b := file(name)
	sum := sha256.Sum256(b)
	return Asset{Path: AssetPrefix + hex.EncodeToString(sum[:8]) + "/" + name, Type: kind, Body: b}
}

func file(name string) []byte {
	b, err := files.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return b
}

// StyleSource is the Content-Security-Policy source of a standalone page's
// inlined stylesheet.
func StyleSource() string {
	sum := sha256.Sum256(file("latchkey.css"))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// frame is what every template gets beside its page.
type frame struct {
	Title, Brand string
	T            Messages
	Standalone   bool
	Style        template.CSS
	StylePath    string
	ScriptPath   string
	HistoryPath  string
}

func newFrame(lang, title, brand string, standalone bool) frame {
	f := frame{Title: title, Brand: brand, T: MessagesFor(lang), Standalone: standalone}
	if standalone {
		f.Style = template.CSS(file("latchkey.css")) // #nosec G203 -- our own file, not a person's data
	}
	f.StylePath, f.ScriptPath, f.HistoryPath = asset("latchkey.css", "").Path, asset("post.js", "").Path, asset("history.js", "").Path
	return f
}

// templates are parsed once, at the first page.
var templates = sync.OnceValues(func() (map[string]*template.Template, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, name := range names {
		if out[path.Base(name)], err = template.ParseFS(files, "templates/base.html", name); err != nil {
			return nil, err
		}
	}
	return out, nil
})

// render runs a template into a buffer first, so that a failure leaves no half page.
func render(w io.Writer, name string, data any) error {
	all, err := templates()
	if err != nil {
		return fmt.Errorf("ui: %w", err)
	}
	var b bytes.Buffer
	if err := all[name+".html"].ExecuteTemplate(&b, name+".html", data); err != nil {
		return fmt.Errorf("ui: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}
