package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// NewUser is a user with credentials, direct roles and groups (ids).
type NewUser struct {
	User        *realm.User
	Credentials []realm.Credential
	RoleIDs     []string
	GroupIDs    []string
	SharesEmail bool // the realm allows several users with one address
}

func (s *Store) insertUsers(ctx context.Context, tx *sql.Tx, a *Aggregate) error {
	for _, u := range a.Users {
		if err := s.insertUser(ctx, tx, u); err != nil {
			return err
		}
	}
	return nil
}

// CreateUser adds a user with everything given, in one transaction.
func (s *Store) CreateUser(ctx context.Context, u NewUser) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return s.insertUser(ctx, tx, u) })
}

func (s *Store) insertUser(ctx context.Context, tx *sql.Tx, n NewUser) error {
	u := n.User
	doc, err := userDoc(u)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO users (id, realm_id, username, email, unique_email, first_name, last_name, enabled, email_verified,
		service_client, version, gate, created_at, doc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, 1, $11, $12)`,
		u.ID, u.RealmID, u.Username, u.Email, uniqueEmail(u, n.SharesEmail), strings.ToLower(u.FirstName), strings.ToLower(u.LastName),
		u.Enabled, u.EmailVerified, u.ServiceAccountClient, millis(u.CreatedAt), doc)
	if err != nil {
		return userConflict(err, u)
	}
	if err := insertAttributes(ctx, tx, u); err != nil {
		return err
	}
	for _, c := range n.Credentials {
		if err := s.insertCredential(ctx, tx, u, c); err != nil {
			return err
		}
	}
	if err := link(ctx, tx, "INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", []any{u.ID}, n.RoleIDs); err != nil {
		return err
	}
	return link(ctx, tx, "INSERT INTO memberships (user_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", []any{u.ID}, n.GroupIDs)
}

func uniqueEmail(u *realm.User, shares bool) sql.NullString {
	return sql.NullString{String: u.Email, Valid: u.Email != "" && !shares}
}

func userConflict(err error, u *realm.User) error {
	if violates(err, "users", "unique_email") {
		return conflict(err, "email", u.Email)
	}
	return conflict(err, "username", u.Username)
}

func insertAttributes(ctx context.Context, tx *sql.Tx, u *realm.User) error {
	for name, values := range u.Attributes {
		for i, v := range values {
			if _, err := exec(ctx, tx, "INSERT INTO user_attributes (user_id, name, position, value) VALUES ($1, $2, $3, $4)", u.ID, name, i, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func userDoc(u *realm.User) (string, error) {
	return encode(userRest{u.FirstName, u.LastName, u.NotBefore, u.RequiredActions, u.Extra})
}

// userRest is what a user's document holds: what is no column and no relation.
type userRest struct {
	FirstName, LastName string                     `json:",omitempty"`
	NotBefore           int64                      `json:",omitempty"`
	RequiredActions     []string                   `json:",omitempty"`
	Extra               map[string]json.RawMessage `json:",omitempty"`
}

func decodeRest(doc string, u *realm.User) error {
	var rest userRest
	if err := decode(doc, &rest); err != nil {
		return err
	}
	u.FirstName, u.LastName, u.NotBefore, u.RequiredActions, u.Extra = rest.FirstName, rest.LastName, rest.NotBefore, rest.RequiredActions, rest.Extra
	return nil
}

const (
	userColumns = "id, realm_id, username, email, enabled, email_verified, service_client, version, gate, created_at, doc"
	selectUser  = "SELECT " + userColumns + " FROM users "
)

func scanUser(row scanner) (*realm.User, error) {
	u := &realm.User{}
	var doc string
	var created int64
	if err := row.Scan(&u.ID, &u.RealmID, &u.Username, &u.Email, &u.Enabled, &u.EmailVerified, &u.ServiceAccountClient, &u.Version, &u.Gate, &created, &doc); err != nil {
		return nil, err
	}
	u.CreatedAt = instant(created)
	return u, decodeRest(doc, u)
}

func (s *Store) oneUser(ctx context.Context, query string, args ...any) (*realm.User, error) {
	u, err := one(ctx, s.read, scanUser, query, args...)
	if err != nil {
		return nil, err
	}
	return u, s.attributes(ctx, u)
}

func (s *Store) attributes(ctx context.Context, u *realm.User) error {
	type pair struct{ name, value string }
	pairs, err := list(ctx, s.read, func(r scanner) (p pair, err error) { err = r.Scan(&p.name, &p.value); return },
		"SELECT name, value FROM user_attributes WHERE user_id = $1 ORDER BY name, position", u.ID)
	for _, p := range pairs {
		if u.Attributes == nil {
			u.Attributes = map[string][]string{}
		}
		u.Attributes[p.name] = append(u.Attributes[p.name], p.value)
	}
	return err
}

// UserByID, UserByUsername, UserByEmail and ServiceAccountUser give one user or
// ErrNotFound. Names and addresses compare in lower case.
func (s *Store) UserByID(ctx context.Context, realmID, id string) (*realm.User, error) {
	return s.oneUser(ctx, selectUser+"WHERE realm_id = $1 AND id = $2", realmID, id)
}

// UserByUsername gives the user with this name.
func (s *Store) UserByUsername(ctx context.Context, realmID, username string) (*realm.User, error) {
	return s.oneUser(ctx, selectUser+"WHERE realm_id = $1 AND username = $2", realmID, strings.ToLower(username))
}

// UserByEmail gives the user with this address; ErrNotFound when several have it.
func (s *Store) UserByEmail(ctx context.Context, realmID, email string) (*realm.User, error) {
	return s.oneUser(ctx, selectUser+"WHERE realm_id = $1 AND email = $2 AND 1 = (SELECT count(*) FROM users WHERE realm_id = $1 AND email = $2)",
		realmID, strings.ToLower(email))
}

// ServiceAccountUser gives the user that stands for a client (its UUID).
func (s *Store) ServiceAccountUser(ctx context.Context, realmID, clientID string) (*realm.User, error) {
	return s.oneUser(ctx, selectUser+"WHERE realm_id = $1 AND service_client = $2", realmID, clientID)
}

// Users gives users by username.
func (s *Store) Users(ctx context.Context, realmID string, f UserFilter) ([]*realm.User, error) {
	where, args := f.where(realmID)
	switch f.Max {
	case 0:
		f.Max = 100
	case -1:
		f.Max = 1 << 30
	}
	args = append(args, max(f.Max, 0), max(f.First, 0))
	found, err := list(ctx, s.read, scanUser, selectUser+"WHERE "+where+" ORDER BY username LIMIT $"+itoa(len(args)-1)+" OFFSET $"+itoa(len(args)), args...)
	if err != nil {
		return nil, err
	}
	for _, u := range found {
		if err := s.attributes(ctx, u); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// someUsers gives users of a realm by username; condition says which, of $2.
func (s *Store) someUsers(ctx context.Context, condition, realmID, arg string, first, limit int) ([]*realm.User, error) {
	found, err := list(ctx, s.read, scanUser, selectUser+"WHERE realm_id = $1 AND "+condition+" ORDER BY username LIMIT $3 OFFSET $4", realmID, arg, atMost(limit), max(first, 0))
	if err != nil {
		return nil, err
	}
	for _, u := range found {
		if err := s.attributes(ctx, u); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// CountUsers counts what Users would give without a limit.
func (s *Store) CountUsers(ctx context.Context, realmID string, f UserFilter) (int, error) {
	where, args := f.where(realmID)
	return one(ctx, s.read, scanInt, "SELECT count(*) FROM users WHERE "+where, args...)
}

// UpdateUser writes a user back when its version is the one that was read
// (ErrConflict). The gate is raised: what was decided on older facts is not issued.
func (s *Store) UpdateUser(ctx context.Context, u *realm.User, sharesEmail bool) error {
	return s.UpdateUserAndPassword(ctx, u, nil, sharesEmail)
}

// UpdateUserAndPassword is UpdateUser with another password, nil for the old one: what
// a password demands and the password are one change.
func (s *Store) UpdateUserAndPassword(ctx context.Context, u *realm.User, c *realm.Credential, sharesEmail bool) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := updateUser(ctx, tx, u, sharesEmail); err != nil || c == nil {
			return err
		}
		return s.swapPassword(ctx, tx, u.RealmID, u.ID, *c)
	})
}

func updateUser(ctx context.Context, tx *sql.Tx, u *realm.User, sharesEmail bool) error {
	doc, err := userDoc(u)
	if err != nil {
		return err
	}
	err = must(ctx, tx, ErrConflict, `UPDATE users SET username = $1, email = $2, unique_email = $3, first_name = $4, last_name = $5, enabled = $6,
		email_verified = $7, doc = $8, version = version + 1, gate = gate + 1 WHERE realm_id = $9 AND id = $10 AND version = $11`,
		u.Username, u.Email, uniqueEmail(u, sharesEmail), strings.ToLower(u.FirstName), strings.ToLower(u.LastName), u.Enabled,
		u.EmailVerified, doc, u.RealmID, u.ID, u.Version)
	if err != nil {
		return userConflict(err, u)
	}
	if _, err := exec(ctx, tx, "DELETE FROM user_attributes WHERE user_id = $1", u.ID); err != nil {
		return err
	}
	return insertAttributes(ctx, tx, u)
}

// DeleteUser deletes a user with sessions and everything given out.
func (s *Store) DeleteUser(ctx context.Context, realmID, id string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return must(ctx, tx, ErrNotFound, "DELETE FROM users WHERE realm_id = $1 AND id = $2", realmID, id)
	})
}

// UserRoles gives the ids of the roles that a user has directly and by groups,
// parents of the groups included; composites are not expanded.
func (s *Store) UserRoles(ctx context.Context, realmID, userID string) (direct, viaGroups []string, err error) {
	if direct, err = list(ctx, s.read, scanText, `SELECT ur.role_id FROM user_roles ur JOIN users u ON u.id = ur.user_id
		WHERE u.realm_id = $1 AND u.id = $2`, realmID, userID); err != nil {
		return nil, nil, err
	}
	viaGroups, err = s.rolesViaGroups(ctx, realmID, userID)
	return direct, viaGroups, err
}

// UserGroups gives the ids of the groups a user is a member of.
func (s *Store) UserGroups(ctx context.Context, realmID, userID string) ([]string, error) {
	return list(ctx, s.read, scanText, "SELECT m.group_id FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.realm_id = $1 AND u.id = $2", realmID, userID)
}

// SetUserRoles adds direct roles and takes others away. A lost role raises the gate.
func (s *Store) SetUserRoles(ctx context.Context, realmID, userID string, add, remove []string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := must(ctx, tx, ErrNotFound, "UPDATE users SET gate = gate + $1 WHERE realm_id = $2 AND id = $3", min(len(remove), 1), realmID, userID); err != nil {
			return err
		}
		if err := link(ctx, tx, "INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", []any{userID}, add); err != nil {
			return err
		}
		return link(ctx, tx, "DELETE FROM user_roles WHERE user_id = $1 AND role_id = $2", []any{userID}, remove)
	})
}

// CreateFirstHolder adds a user with a role that nobody has: the first
// administrator, of whom there is one. made is false, and nothing is written, when
// somebody has the role.
func (s *Store) CreateFirstHolder(ctx context.Context, u NewUser, roleID string) (made bool, err error) {
	u.RoleIDs = append(u.RoleIDs[:len(u.RoleIDs):len(u.RoleIDs)], roleID)
	err = s.tx(ctx, func(tx *sql.Tx) error {
		made = false
		if err := s.d.lock(ctx, tx, "first holder", roleID); err != nil {
			return err
		}
		n, err := one(ctx, tx, scanInt, "SELECT count(*) FROM user_roles WHERE role_id = $1", roleID)
		if err != nil || n > 0 {
			return err
		}
		made = true
		return s.insertUser(ctx, tx, u)
	})
	return made && err == nil, err
}

// RoleHolders counts the users that have a role directly, for the question
// whether a realm has an administrator.
func (s *Store) RoleHolders(ctx context.Context, realmID, roleID string) (int, error) {
	return one(ctx, s.read, scanInt,
		"SELECT count(*) FROM user_roles ur JOIN users u ON u.id = ur.user_id WHERE u.realm_id = $1 AND ur.role_id = $2", realmID, roleID)
}
