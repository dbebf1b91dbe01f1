package ui

import (
	"io"
	"slices"
)

// LanguageLink is a link to the same page in another language.
type LanguageLink struct{ Tag, Name, Href string }

// LoginPage asks for a username and a password.
type LoginPage struct {
	Lang                        string
	RealmName                   string // shown above the card, and in the title
	ClientName                  string // "to continue to …"
	Action                      string // where the form goes
	Here                        string // the address of the step, on a page that answers a form; "" otherwise
	Username                    string // kept from the last try, or a hint
	UsernameFixed               bool   // re-authentication: the password alone is asked
	EmailAllowed                bool
	Message                     string
	MessageKind                 string // error | warning | info
	FieldError                  string // beside the field
	RememberMeShown, RememberMe bool
	Languages                   []LanguageLink
}

// Render writes the page.
func (p LoginPage) Render(w io.Writer) error {
	f := newFrame(p.Lang, signInTo(p.Lang, p.RealmName), p.RealmName, false)
	return render(w, "login", struct {
		frame
		LoginPage
	}{f, p})
}

// PasswordPage asks for a new password before a login goes on.
type PasswordPage struct {
	Lang, RealmName, Username   string
	Action, Here                string // where the form goes; see LoginPage
	Message                     string
	PasswordError, ConfirmError string // beside the fields
	Languages                   []LanguageLink
}

// Render writes the page.
func (p PasswordPage) Render(w io.Writer) error {
	return render(w, "password", struct {
		frame
		PasswordPage
	}{newFrame(p.Lang, signInTo(p.Lang, p.RealmName), p.RealmName, false), p})
}

// Field is one text field of a form.
type Field struct {
	Name, Label, Value, Error string
	Required                  bool
	First                     bool // where the person begins: what is wrong, else the first field
}

// Kind is the field's autocomplete token (HTML, "Autofill detail tokens").
func (f Field) Kind() string {
	switch f.Name {
	case "username":
		return "username"
	case "email":
		return "email"
	case "firstName":
		return "given-name"
	case "lastName":
		return "family-name"
	}
	return "off"
}

// ProfilePage asks for what a user's profile lacks.
type ProfilePage struct {
	Lang, RealmName, Username, Action, Here, Message string
	Fields                                           []Field
	Languages                                        []LanguageLink
}

// Render writes the page.
func (p ProfilePage) Render(w io.Writer) error {
	p.Fields = slices.Clone(p.Fields)
	if i := max(slices.IndexFunc(p.Fields, func(f Field) bool { return f.Error != "" }), 0); i < len(p.Fields) {
		p.Fields[i].First = true
	}
	return render(w, "profile", struct {
		frame
		ProfilePage
	}{newFrame(p.Lang, signInTo(p.Lang, p.RealmName), p.RealmName, false), p})
}

// Detail is a name and a value on a page.
type Detail struct{ Name, Value string }

// ErrorPage says what happened in one line and what to do in another. Reason is
// the id that stands in the log too; ID names this one occurrence.
type ErrorPage struct {
	Lang              string
	RealmName         string
	What, Do          string
	Reason, ID        string
	Details           []Detail
	BackURL, BackText string
	Inline            bool // the stylesheet is inlined: no asset route is needed
}

// Render writes the page.
func (p ErrorPage) Render(w io.Writer) error {
	title := signInTo(p.Lang, p.RealmName)
	if p.RealmName == "" {
		title = MessagesFor(p.Lang).SorryTitle
	}
	f := newFrame(p.Lang, title, brandOr(p.RealmName), p.Inline)
	return render(w, "error", struct {
		frame
		ErrorPage
	}{f, p})
}

func signInTo(lang, realm string) string { return MessagesFor(lang).SignInTo + " " + realm }

func brandOr(name string) string {
	if name == "" {
		return "Latchkey"
	}
	return name
}

// LogoutPage asks whether the person really wants to end the session.
type LogoutPage struct {
	Lang, RealmName, Action, FormToken string
}

// Render writes the page.
func (p LogoutPage) Render(w io.Writer) error {
	return render(w, "logout", struct {
		frame
		LogoutPage
	}{newFrame(p.Lang, MessagesFor(p.Lang).LoggingOut, p.RealmName, false), p})
}

// InfoPage says one thing.
type InfoPage struct {
	Lang, RealmName, Heading, Text, BackURL string
}

// Render writes the page.
func (p InfoPage) Render(w io.Writer) error {
	return render(w, "info", struct {
		frame
		InfoPage
	}{newFrame(p.Lang, signInTo(p.Lang, p.RealmName), p.RealmName, false), p})
}

// PostPage sends its fields on by a form (OAuth 2.0 Form Post Response Mode). A
// person without scripts presses the button.
type PostPage struct {
	Lang, RealmName, Action string
	Fields                  []Detail
}

// Render writes the page.
func (p PostPage) Render(w io.Writer) error {
	return render(w, "post", struct {
		frame
		PostPage
	}{newFrame(p.Lang, MessagesFor(p.Lang).GoingOn, p.RealmName, false), p})
}

// FrameScript is the script of a page that an application puts into a hidden frame.
type FrameScript string

// The scripts of framed pages.
const (
	SessionScript    FrameScript = "session.js"
	CookieSetScript  FrameScript = "cookie-set.js"
	CookieReadScript FrameScript = "cookie-read.js"
)

// ScriptPage shows nothing: it runs one script, in a frame that nobody sees.
type ScriptPage struct{ Script FrameScript }

// Render writes the page.
func (p ScriptPage) Render(w io.Writer) error {
	return render(w, "script", struct{ Path string }{asset(string(p.Script), "").Path})
}

// Form is a form with one button and a token against forgery.
type Form struct{ Action, Token, Button string }

// AppPage is a page of an application: the guide's, or one that package latchkey
// shows. It needs no asset route.
type AppPage struct {
	Lang, App, Heading, Text string
	Details                  []Detail
	Code                     string
	Form                     *Form
	Links                    []Detail // name and address; the first is the main one
	Reason, ID               string
}

// Render writes the page.
func (p AppPage) Render(w io.Writer) error {
	return render(w, "app", struct {
		frame
		AppPage
	}{newFrame(p.Lang, p.Heading, p.App, true), p})
}

// SetupPage makes the first administrator.
type SetupPage struct {
	Lang, Action, Username, FieldError string
}

// Render writes the page.
func (p SetupPage) Render(w io.Writer) error {
	return render(w, "setup", struct {
		frame
		SetupPage
	}{newFrame(p.Lang, MessagesFor(p.Lang).SetupTitle, "Latchkey", false), p})
}
