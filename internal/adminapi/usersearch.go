package adminapi

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// none is a page of no entries: max=0 is not "no limit".
const none = -2

// flag reads a parameter that is true or not; nil when it is not said.
func (c *call) flag(name string) *bool {
	v := c.query.Get(name)
	if v == "" {
		return nil
	}
	yes := strings.EqualFold(v, "true")
	return &yes
}

// filter reads what users are looked for by. As with Keycloak, search stands alone:
// names and attributes beside it are not looked at. A parameter that is not served
// is refused: a list of everybody is no answer to a question for somebody.
func (c *call) filter() (store.UserFilter, error) {
	q := c.query
	first, limit, err := c.page(100)
	if err != nil {
		return store.UserFilter{}, err
	}
	if limit == 0 {
		limit = none
	}
	f := store.UserFilter{Search: q.Get("search"), Enabled: c.flag("enabled"), EmailVerified: c.flag("emailVerified"), First: first, Max: limit}
	if f.CreatedFrom, err = c.moment("createdAfter", 0); err != nil {
		return f, err
	}
	if f.CreatedTo, err = c.moment("createdBefore", 24*time.Hour-time.Millisecond); err != nil || strings.TrimSpace(f.Search) != "" {
		return f, err
	}
	if q.Get("idpAlias")+q.Get("idpUserId") != "" {
		return f, refusal{http.StatusNotImplemented, "Users cannot be searched by identity provider", false}
	}
	f.Username, f.Email, f.FirstName, f.LastName = q.Get("username"), q.Get("email"), q.Get("firstName"), q.Get("lastName")
	exact := c.flag("exact")
	f.Exact = exact != nil && *exact
	return f, byAttributes(&f, attributesOf(q.Get("q")))
}

// moment reads a day, or milliseconds since 1970; within is added to a day.
func (c *call) moment(name string, within time.Duration) (time.Time, error) {
	v := c.query.Get(name)
	if v == "" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.UnixMilli(n), nil
	}
	day, err := time.Parse(time.DateOnly, v)
	if err != nil {
		return day, refusal{http.StatusBadRequest, "Invalid value for '" + name + "', expected format is yyyy-MM-dd or an Epoch timestamp", false}
	}
	return day.Add(within), nil
}

// mostAttributes is how many attributes one search may name.
const mostAttributes = 50

// byAttributes: the names of a user's own members mean those.
func byAttributes(f *store.UserFilter, all []store.Attribute) error {
	if len(all) > mostAttributes {
		return refusal{http.StatusBadRequest, "a search names at most " + strconv.Itoa(mostAttributes) + " attributes", true}
	}
	texts := map[string]*string{"username": &f.Username, "email": &f.Email, "firstName": &f.FirstName, "lastName": &f.LastName}
	flags := map[string]**bool{"enabled": &f.Enabled, "emailVerified": &f.EmailVerified}
	for _, a := range all {
		switch {
		case texts[a.Name] != nil:
			*texts[a.Name] = a.Value
		case flags[a.Name] != nil:
			yes := strings.EqualFold(a.Value, "true")
			*flags[a.Name] = &yes
		default:
			f.Attributes = append(f.Attributes, a)
		}
	}
	return nil
}

// attributesOf reads the parameter q: name:value, separated by blanks, each of both
// in quotes where it has a blank or a colon in it. A word without a colon says nothing.
func attributesOf(q string) []store.Attribute {
	var out []store.Attribute
	for q = strings.TrimSpace(q); q != ""; q = strings.TrimSpace(q) {
		name, rest := word(q, ": ")
		after, ok := strings.CutPrefix(rest, ":")
		if !ok {
			q = rest
			continue
		}
		var value string
		value, q = word(after, " ")
		out = append(out, store.Attribute{Name: name, Value: value})
	}
	return out
}

// word takes a text in quotes, or one up to a character of ends.
func word(s, ends string) (text, rest string) {
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		if text, rest, ok = strings.Cut(quoted, `"`); ok {
			return text, rest
		}
	}
	if i := strings.IndexAny(s, ends); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func (a *API) listUsers(c *call) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	if !c.can("view-users", "manage-users") { // query-users is the right to ask, and to see whom another right shows
		return c.json([]any{})
	}
	found, byID, err := a.usersByID(c, f.Search)
	if err == nil && !byID {
		found, err = a.Store.Users(c.ctx(), c.realm.ID, f)
	}
	if err != nil {
		return err
	}
	return c.users(found, c.userAccess())
}

// usersByID answers a search for ids, "id:one two": those that are there, in this
// order, and no page of them.
func (a *API) usersByID(c *call, search string) (found []*realm.User, asked bool, err error) {
	ids, asked := strings.CutPrefix(strings.TrimSpace(search), "id:")
	if !asked {
		return nil, false, nil
	}
	named := strings.Fields(ids)
	named = named[:min(len(named), most)]
	for i, id := range named {
		if slices.Contains(named[:i], id) {
			continue
		}
		u, err := a.Store.UserByID(c.ctx(), c.realm.ID, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, true, err
		}
		found = append(found, u)
	}
	return found, true, nil
}

func (a *API) countUsers(c *call) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	if found, byID, err := a.usersByID(c, f.Search); err != nil || byID {
		if err != nil {
			return err
		}
		return c.json(len(found))
	}
	n, err := a.Store.CountUsers(c.ctx(), c.realm.ID, f)
	if err != nil {
		return err
	}
	return c.json(n)
}
