package store

import (
	"strings"
	"time"
)

// UserFilter selects users. The zero value selects the first 100 that are no
// service accounts; those are found by a member of theirs alone, as with Keycloak.
type UserFilter struct {
	Search                               string // prefix; *x* infix; "x" exact; over username, e-mail and names
	Username, Email, FirstName, LastName string // a part of it, or all of it with Exact
	Exact                                bool
	Enabled, EmailVerified               *bool
	Attributes                           []Attribute // all of them
	CreatedFrom, CreatedTo               time.Time   // both included; zero for no bound
	First, Max                           int         // Max 0 means 100, -1 no limit, anything below none
}

// Attribute is a value that users are looked for by, whatever its case: of letters
// beyond ASCII the case counts on SQLite.
type Attribute struct{ Name, Value string }

// where builds the condition of a filter; values only ever stand in args.
func (f UserFilter) where(realmID string) (string, []any) {
	q, args := []string{"realm_id = $1"}, []any{realmID}
	if f.Username+f.Email+f.FirstName+f.LastName == "" && f.Enabled == nil && f.EmailVerified == nil && len(f.Attributes) == 0 {
		q = append(q, "service_client = ''")
	}
	add := func(condition string, v any) {
		args = append(args, v)
		q = append(q, strings.ReplaceAll(condition, "?", "$"+itoa(len(args))))
	}
	for column, v := range map[string]string{"username": f.Username, "email": f.Email, "first_name": f.FirstName, "last_name": f.LastName} {
		switch {
		case v == "":
		case f.Exact:
			add(column+" = ?", strings.ToLower(v))
		default:
			add(column+` LIKE ? ESCAPE '\'`, "%"+escapeLike(strings.ToLower(v))+"%")
		}
	}
	for _, word := range strings.Fields(f.Search) {
		add(`(username LIKE ? ESCAPE '\' OR email LIKE ? ESCAPE '\' OR first_name LIKE ? ESCAPE '\' OR last_name LIKE ? ESCAPE '\')`, searchPattern(word))
	}
	if f.Enabled != nil {
		add("enabled = ?", *f.Enabled)
	}
	if f.EmailVerified != nil {
		add("email_verified = ?", *f.EmailVerified)
	}
	if !f.CreatedFrom.IsZero() {
		add("created_at >= ?", f.CreatedFrom.UnixMilli())
	}
	if !f.CreatedTo.IsZero() {
		add("created_at <= ?", f.CreatedTo.UnixMilli())
	}
	for _, a := range f.Attributes {
		args = append(args, a.Name, a.Value, strings.ToLower(a.Value))
		n := len(args)
		q = append(q, "id IN (SELECT user_id FROM user_attributes WHERE name = $"+itoa(n-2)+" AND (value = $"+itoa(n-1)+" OR lower(value) = $"+itoa(n)+"))")
	}
	return strings.Join(q, " AND "), args
}

// searchPattern: Keycloak searches a prefix, "x" exactly and *x* anywhere.
func searchPattern(word string) string {
	word = strings.ToLower(word)
	if len(word) > 1 && strings.HasPrefix(word, `"`) && strings.HasSuffix(word, `"`) {
		return escapeLike(word[1 : len(word)-1])
	}
	return strings.ReplaceAll(escapeLike(word), "*", "%") + "%"
}
