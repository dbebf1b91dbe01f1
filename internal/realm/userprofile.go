package realm

import (
	"encoding/json"
	"net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// UserAttribute is one attribute of a realm's user profile: what a person is
// asked for.
type UserAttribute struct {
	Name     string // username, email, firstName, lastName, or an attribute's name
	Required bool   // a user who lacks it must give it at the next login
	Editable bool   // the person may write it
}

// UserProfile gives the realm's user profile: the configuration of the component
// "declarative-user-profile" where the realm has one, else Keycloak's, which
// requires an address and both names of everybody but the users of master.
func UserProfile(r *Realm) []UserAttribute {
	if own := ownProfile(r); own != nil {
		return own
	}
	must := r.Name != "master"
	return []UserAttribute{{"username", true, r.EditUsernameAllowed}, {"email", must, true}, {"firstName", must, true}, {"lastName", must, true}}
}

// profileComponent is as much of a ComponentRepresentation as is looked at.
type profileComponent struct {
	Config map[string][]string `json:"config"`
}

type profileConfig struct {
	Attributes []struct {
		Name     string `json:"name"`
		Required *struct {
			Roles  []string `json:"roles"`
			Scopes []string `json:"scopes"`
		} `json:"required"`
		Permissions *struct {
			Edit []string `json:"edit"`
		} `json:"permissions"`
	} `json:"attributes"`
}

func ownProfile(r *Realm) []UserAttribute {
	var components map[string]json.RawMessage
	var found []profileComponent
	var c profileConfig
	if json.Unmarshal(r.Extra["components"], &components) != nil || json.Unmarshal(components["org.keycloak.userprofile.UserProfileProvider"], &found) != nil {
		return nil
	}
	if len(found) == 0 || len(found[0].Config["kc.user.profile.config"]) == 0 || json.Unmarshal([]byte(found[0].Config["kc.user.profile.config"][0]), &c) != nil {
		return nil
	}
	var out []UserAttribute
	for _, a := range c.Attributes {
		p := UserAttribute{Name: a.Name, Editable: a.Permissions == nil || slices.Contains(a.Permissions.Edit, "user")}
		if a.Name == "username" {
			p.Editable = p.Editable && r.EditUsernameAllowed
		}
		// What is required for a scope alone is asked when that scope is; that
		// narrows nothing about who may log in.
		p.Required = a.Required != nil && len(a.Required.Scopes) == 0 && (len(a.Required.Roles) == 0 || slices.Contains(a.Required.Roles, "user"))
		out = append(out, p)
	}
	return out
}

// MissingFromProfile gives the attributes that the user profile requires and the
// user lacks. One that the person may not write is not asked for: they could not
// help it.
func MissingFromProfile(r *Realm, u *User) []string {
	var out []string
	for _, a := range UserProfile(r) {
		if a.Required && a.Editable && strings.TrimSpace(ProfileValue(u, a.Name)) == "" {
			out = append(out, a.Name)
		}
	}
	return out
}

// ProfileValue gives an attribute of a user by its name in the user profile.
func ProfileValue(u *User, name string) string {
	switch name {
	case "username":
		return u.Username
	case "email":
		return u.Email
	case "firstName":
		return u.FirstName
	case "lastName":
		return u.LastName
	}
	if v := u.Attributes[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// SetProfileValue writes an attribute by its name in the user profile. Another
// address is one that nobody has verified.
func SetProfileValue(u *User, name, value string) {
	value = strings.TrimSpace(value)
	switch name {
	case "username":
		u.Username = strings.ToLower(value)
	case "email":
		value = strings.ToLower(value)
		u.EmailVerified = u.EmailVerified && u.Email == value
		u.Email = value
	case "firstName":
		u.FirstName = value
	case "lastName":
		u.LastName = value
	default:
		attributes := map[string][]string{}
		for k, v := range u.Attributes {
			attributes[k] = v
		}
		attributes[name] = []string{value}
		if value == "" {
			delete(attributes, name)
		}
		u.Attributes = attributes
	}
}

// ValueProblem says what is wrong with a value.
type ValueProblem string

// The problems of a value.
const (
	ValueMissing   ValueProblem = "missing"
	ValueLength    ValueProblem = "length"
	ValueCharacter ValueProblem = "character"
	ValueEmail     ValueProblem = "email"
)

const (
	maxValue    = 255                          // characters, Keycloak's limit for names and addresses
	maxFreeText = 2048                         // characters of an attribute of the realm's own
	notInName   = "<>&\"$%!#?§;*~/\\|^=[]{}()" // person-name-prohibited-characters
	notInUser   = "<>&\"'$%!#?§,;:*~/\\|^=[]{}()` \r\n\t\x00"
)

// CheckProfileValue checks one value that a person wrote, with Keycloak's rules;
// "" when there is nothing to say against it.
func CheckProfileValue(a UserAttribute, value string) ValueProblem {
	value = strings.TrimSpace(value)
	length, most := utf8.RuneCountInString(value), maxValue
	switch a.Name {
	case "username", "email", "firstName", "lastName":
	default:
		most = maxFreeText
	}
	switch {
	case value == "" && a.Required:
		return ValueMissing
	case length > most, a.Name == "username" && length < 3:
		return ValueLength
	case strings.ContainsFunc(value, unicode.IsControl) || !utf8.ValidString(value):
		return ValueCharacter
	case a.Name == "username" && strings.ContainsAny(value, notInUser):
		return ValueCharacter
	case (a.Name == "firstName" || a.Name == "lastName") && strings.ContainsAny(value, notInName):
		return ValueCharacter
	case a.Name == "email" && value != "" && !ValidEmail(value):
		return ValueEmail
	}
	return ""
}

// ValidEmail reports whether a text is one plain mail address of at most 255 bytes.
func ValidEmail(email string) bool {
	a, err := mail.ParseAddress(email)
	return err == nil && a.Address == email && len(email) <= maxValue && strings.Count(email, "@") == 1
}
