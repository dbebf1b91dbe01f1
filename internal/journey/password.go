package journey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Check finds the user that a name and a password belong to. Reasons:
// WrongCredentials (also for an unknown user, at the same cost),
// AccountLocked (in the same words), AccountDisabled (only with the right password), HashingBusy.
//
// Every try does the same work, whoever it is for: one count and one hash (S-82).
func (j *Journey) Check(ctx context.Context, in *realm.Realm, username, pw string) (*realm.User, error) {
	user, c, err := j.find(ctx, in, username)
	if err != nil {
		return nil, err
	}
	try := attempt{in: in, user: user, name: username}
	if try.like, err = j.standIn(ctx, in, c, username); err != nil {
		return nil, err
	}
	switch err := j.countAttempt(ctx, &try); {
	case err != nil:
		return nil, err
	case try.counted.Locked: // a lock must not tell that the account exists
		return nil, j.nobody(ctx, try, pw, oauth.Refuse(oauth.AccountLocked, ""))
	case user == nil:
		return nil, j.nobody(ctx, try, pw, oauth.RefuseBecause(oauth.WrongCredentials, errors.New("no such user")))
	case c == nil:
		return nil, j.nobody(ctx, try, pw, oauth.RefuseBecause(oauth.WrongCredentials, errors.New("the user has no password")))
	}
	return j.verify(ctx, try, *c, pw)
}

// attempt is one try of a name and a password.
type attempt struct {
	in      *realm.Realm
	user    *realm.User // nil: nobody has the name
	name    string
	like    *realm.Credential // what a try that is refused anyway costs as much as; nil: what a new hash costs
	counted store.LoginTry
}

// find gives the user of a name with their password; both may be nil.
func (j *Journey) find(ctx context.Context, in *realm.Realm, username string) (*realm.User, *realm.Credential, error) {
	user, err := j.named(ctx, in, username)
	if errors.Is(err, store.ErrNotFound) || err == nil && user.ServiceAccountClient != "" {
		user, err = nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	id := "nobody" // who has no password either: the read is made all the same
	if user != nil {
		id = user.ID
	}
	c, err := j.passwordOf(ctx, in.ID, id)
	return user, c, err
}

// standIn gives the hash that a refused try is compared with, whatever comes of it:
// the user's own, or for nobody one that belongs to somebody of the realm, always
// the same for a name. Hashes that came in a file cost what they cost where they
// were made: if nobody cost what a new hash does, whoever costs something else would
// be known to exist. So costs are spread over names without a user as they are over
// users. The read is made for everybody.
func (j *Journey) standIn(ctx context.Context, in *realm.Realm, own *realm.Credential, username string) (*realm.Credential, error) {
	at := sha256.Sum256([]byte(in.ID + "\n" + nameOf(username))) // ids of credentials are random: nobody knows whose stands there
	other, err := j.Store.SomePassword(ctx, in.ID, hex.EncodeToString(at[:]))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return own, nil // nobody has a password
	case err != nil || own == nil:
		return other, err
	}
	return own, nil
}

// verify looks at the password itself.
func (j *Journey) verify(ctx context.Context, try attempt, c realm.Credential, pw string) (*realm.User, error) {
	in, user := try.in, try.user
	ok, rehash, err := j.Passwords.Verify(ctx, pw, password.Hash{Data: c.Data, Secret: c.Secret})
	switch {
	case errors.Is(err, password.ErrUnknown): // a hash that came in a file: nobody logs in with it, and it must not tell that the account exists
		return nil, j.nobody(ctx, try, pw, oauth.RefuseBecause(oauth.WrongCredentials, err))
	case err != nil:
		return nil, j.notLooked(ctx, try, err)
	case !ok:
		return nil, oauth.RefuseBecause(oauth.WrongCredentials, errors.New("wrong password"))
	}
	if in.BruteForce.Protected {
		if err := j.Store.ClearFailedLogins(ctx, in.ID, user.ID); err != nil {
			return nil, err
		}
	}
	if !user.Enabled {
		return nil, oauth.Refuse(oauth.AccountDisabled, "")
	}
	if rehash {
		return user, j.rehash(ctx, user, c, pw)
	}
	return user, nil
}

// countAttempt counts before the password is looked at (S-83).
func (j *Journey) countAttempt(ctx context.Context, try *attempt) (err error) {
	switch {
	case !try.in.BruteForce.Protected:
		return nil
	case try.user == nil:
		return j.Store.CountNobody(ctx, try.in.ID, try.name)
	}
	try.counted, err = j.Store.CountLoginAttempt(ctx, try.in.ID, try.user.ID, web.RealIP(ctx), try.in.BruteForce)
	return err
}

// notLooked gives a try back whose password was never looked at, because all
// hashers are busy or its visitor hung up: a flood must not lock people out. For
// nobody it writes as much, and the time tells nothing (S-82).
func (j *Journey) notLooked(ctx context.Context, try attempt, cause error) error {
	if errors.Is(cause, password.ErrBusy) {
		cause = oauth.RefuseBecause(oauth.HashingBusy, cause)
	}
	ctx = context.WithoutCancel(ctx)
	switch {
	case !try.in.BruteForce.Protected:
		return cause
	case try.user == nil:
		return errors.Join(cause, j.Store.CountNobody(ctx, try.in.ID, try.name))
	}
	return errors.Join(cause, j.Store.ReturnLoginAttempt(ctx, try.in.ID, try.user.ID, try.counted))
}

// named takes a username, or an e-mail address where the realm allows it. Blanks
// around it and its case do not count.
func (j *Journey) named(ctx context.Context, in *realm.Realm, name string) (*realm.User, error) {
	name = nameOf(name)
	if name == "" || len(name) > 255 {
		return nil, store.ErrNotFound
	}
	u, err := j.Store.UserByUsername(ctx, in.ID, name)
	if errors.Is(err, store.ErrNotFound) && in.LoginWithEmailAllowed && strings.Contains(name, "@") {
		return j.Store.UserByEmail(ctx, in.ID, name)
	}
	return u, err
}

func nameOf(typed string) string { return strings.ToLower(strings.TrimSpace(typed)) }

// nobody refuses at the cost of a password that was looked at, and looks at none.
func (j *Journey) nobody(ctx context.Context, try attempt, pw string, refusal error) error {
	if err := j.costAsMuch(ctx, try.like, pw); err != nil {
		return j.notLooked(ctx, try, err)
	}
	return refusal
}

func (j *Journey) costAsMuch(ctx context.Context, like *realm.Credential, pw string) error {
	if like == nil {
		return j.Passwords.VerifyNobody(ctx, pw)
	}
	_, _, err := j.Passwords.Verify(ctx, pw, password.Hash{Data: like.Data, Secret: like.Secret}) // even the right one opens nothing
	if errors.Is(err, password.ErrUnknown) {
		return j.Passwords.VerifyNobody(ctx, pw)
	}
	return err
}

func (j *Journey) passwordOf(ctx context.Context, realmID, userID string) (*realm.Credential, error) {
	creds, err := j.Store.Credentials(ctx, realmID, userID)
	for _, c := range creds {
		if c.Type == "password" {
			return &c, err
		}
	}
	return nil, err
}

// rehash stores a better hash of the password that just proved right (S-80).
func (j *Journey) rehash(ctx context.Context, u *realm.User, c realm.Credential, pw string) error {
	h, err := j.Passwords.Hash(ctx, pw)
	if err != nil {
		return nil // the login is right; the hash is made better another time
	}
	err = j.Store.RehashPassword(ctx, u.RealmID, u.Gate, c, h.Data, h.Secret)
	if errors.Is(err, store.ErrGateMoved) {
		return nil // another password by now: what the old one is worth is decided at the gate
	}
	return err
}
