package realm

import (
	"encoding/json"
	"slices"
	"strings"
)

// Required actions that this server does. Any other one in a user's list refuses
// the login (Unenforced).
const (
	UpdatePassword = "UPDATE_PASSWORD" // a new password, for example after a temporary one
	UpdateProfile  = "UPDATE_PROFILE"  // name and address, shown once more
	VerifyProfile  = "VERIFY_PROFILE"  // what the user profile requires and the user lacks
)

// actionsDone are the actions that this server does, by Keycloak's priorities.
func actionsDone() []actionSetting {
	return []actionSetting{{UpdateProfile, true, false, 40}, {UpdatePassword, true, false, 57}, {VerifyProfile, true, false, 100}}
}

// actionSetting is a RequiredActionProviderRepresentation.
type actionSetting struct {
	Alias         string `json:"alias"`
	Enabled       bool   `json:"enabled"`
	DefaultAction bool   `json:"defaultAction"`
	Priority      int    `json:"priority"`
}

// actionSettings are the realm's own ones where it has them. A list that cannot
// be read counts as none: the actions that are done stay on.
func (r *Realm) actionSettings() []actionSetting {
	var own []actionSetting
	if raw, ok := r.Extra["requiredActions"]; ok {
		_ = json.Unmarshal(raw, &own)
	}
	out := actionsDone()
	for i, a := range out {
		if at := slices.IndexFunc(own, func(o actionSetting) bool { return o.Alias == a.Alias }); at >= 0 {
			out[i] = own[at]
		}
	}
	slices.SortStableFunc(out, func(a, b actionSetting) int { return a.Priority - b.Priority })
	return out
}

// PendingAction is the first required action that this user has to do before
// anything is issued, "" when there is none. As with Keycloak an action that the
// realm has switched off asks for nothing, and VERIFY_PROFILE asks whoever lacks
// what the user profile requires, whether it is in the user's list or not.
func PendingAction(r *Realm, u *User) string {
	if u.ServiceAccountClient != "" {
		return ""
	}
	for _, a := range r.actionSettings() {
		if !a.Enabled {
			continue
		}
		if a.Alias == VerifyProfile {
			if len(MissingFromProfile(r, u)) > 0 {
				return a.Alias
			}
		} else if slices.Contains(u.RequiredActions, a.Alias) {
			return a.Alias
		}
	}
	return ""
}

// DefaultActions are the actions that every new user of the realm has to do.
func DefaultActions(r *Realm) []string {
	var own []actionSetting
	if raw, ok := r.Extra["requiredActions"]; ok {
		_ = json.Unmarshal(raw, &own)
	}
	var out []string
	for _, a := range own {
		if a.Enabled && a.DefaultAction {
			out = append(out, a.Alias)
		}
	}
	return out
}

// UnknownActions are the actions of a user that this server does not do.
func UnknownActions(u *User) []string {
	var out []string
	for _, name := range u.RequiredActions {
		if !slices.ContainsFunc(actionsDone(), func(a actionSetting) bool { return a.Alias == name }) {
			out = append(out, name)
		}
	}
	return out
}

// WithoutAction gives a user's actions without one.
func WithoutAction(actions []string, done string) []string {
	return slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return a == done || strings.TrimSpace(a) == "" })
}
