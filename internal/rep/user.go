package rep

import (
	"encoding/json"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Credential is a CredentialRepresentation. Value is a password in clear, which
// only ever comes in.
type Credential struct {
	ID             string `json:"id,omitempty"`
	Type           string `json:"type,omitempty"`
	UserLabel      string `json:"userLabel,omitempty"`
	CreatedDate    int64  `json:"createdDate,omitempty"`
	SecretData     string `json:"secretData,omitempty"`
	CredentialData string `json:"credentialData,omitempty"`
	Priority       int    `json:"priority,omitempty"`
	Value          string `json:"value,omitempty"`
	Temporary      bool   `json:"temporary,omitempty"`
	ValueSent      bool   `json:"-"` // there was a value, if only an empty one
}

// UserExtra is what a UserRepresentation says beside the user itself.
type UserExtra struct {
	Credentials          []Credential
	RealmRoles           []string
	ClientRoles          map[string][]string
	Groups               []string
	ServiceAccountClient string // client_id
	Consents             []json.RawMessage
	created              int64
	totp                 bool
}

func userFields(u *realm.User, x *UserExtra) []field {
	return []field{
		{"id", &u.ID}, {"username", &u.Username}, {"firstName", &u.FirstName}, {"lastName", &u.LastName}, {"email", &u.Email},
		{"emailVerified", &u.EmailVerified}, {"attributes", &u.Attributes}, {"enabled", &u.Enabled}, {"createdTimestamp", &x.created}, {"totp", &x.totp},
		{"serviceAccountClientId", &x.ServiceAccountClient}, {"credentials", &x.Credentials}, {"requiredActions", &u.RequiredActions},
		{"realmRoles", &x.RealmRoles}, {"clientRoles", &x.ClientRoles}, {"clientConsents", &x.Consents}, {"notBefore", &u.NotBefore}, {"groups", &x.Groups},
	}
}

func keptOfUser() []string {
	return []string{"federatedIdentities", "federationLink", "disableableCredentialTypes", "origin", "self", "socialLinks", "access", "userProfileMetadata",
		"applicationRoles", "verifiableCredentials"}
}

// DecodeUser reads a UserRepresentation over what into has already.
func DecodeUser(doc []byte, into *realm.User) (UserExtra, error) {
	o, err := parse(doc)
	if err != nil {
		return UserExtra{}, err
	}
	var x UserExtra
	if sent, ok := o.values["attributes"]; ok {
		into.Attributes = nil
		o.values["attributes"] = listed(sent)
	}
	if err := o.fill("UserRepresentation", userFields(into, &x), keptOfUser(), &into.Extra); err != nil {
		return x, err
	}
	for _, answerOnly := range []string{"access", "userProfileMetadata", "disableableCredentialTypes"} {
		delete(into.Extra, answerOnly)
	}
	if x.created > 0 {
		into.CreatedAt = time.UnixMilli(x.created).UTC()
	}
	return x, nil
}

// EncodeUser is what GET of a user answers.
func EncodeUser(u *realm.User, access map[string]bool) (json.RawMessage, error) {
	actions := u.RequiredActions
	if actions == nil {
		actions = []string{}
	}
	var attributes map[string][]string
	if len(u.Attributes) > 0 {
		attributes = u.Attributes
	}
	return encode([]field{
		{"id", u.ID}, {"username", u.Username}, {"firstName", optional(u.FirstName)}, {"lastName", optional(u.LastName)}, {"email", optional(u.Email)},
		{"emailVerified", u.EmailVerified}, {"attributes", attributes}, {"enabled", u.Enabled}, {"createdTimestamp", u.CreatedAt.UnixMilli()},
		{"totp", false}, {"disableableCredentialTypes", []string{}}, {"requiredActions", actions}, {"notBefore", u.NotBefore}, {"access", access},
	}, keptOfUser(), u.Extra)
}

// EncodeBriefUser is a user in a list that was asked for brief.
func EncodeBriefUser(u *realm.User, access map[string]bool) (json.RawMessage, error) {
	return encode([]field{
		{"id", u.ID}, {"username", u.Username}, {"firstName", optional(u.FirstName)}, {"lastName", optional(u.LastName)}, {"email", optional(u.Email)},
		{"emailVerified", u.EmailVerified}, {"enabled", u.Enabled}, {"createdTimestamp", u.CreatedAt.UnixMilli()}, {"access", access},
	}, nil, nil)
}

// DecodeCredential reads one CredentialRepresentation.
func DecodeCredential(doc []byte) (Credential, error) {
	var c Credential
	o, err := parse(doc)
	if err != nil {
		return c, err
	}
	_, c.ValueSent = o.values["value"]
	var extra map[string]json.RawMessage
	err = o.fill("CredentialRepresentation", []field{{"id", &c.ID}, {"type", &c.Type}, {"userLabel", &c.UserLabel}, {"createdDate", &c.CreatedDate},
		{"secretData", &c.SecretData}, {"credentialData", &c.CredentialData}, {"priority", &c.Priority}, {"value", &c.Value}, {"temporary", &c.Temporary}},
		[]string{"device", "hashedSaltedValue", "salt", "hashIterations", "counter", "algorithm", "digits", "period", "config", "federationLink"}, &extra)
	return c, err
}
