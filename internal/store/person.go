package store

import (
	"context"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Person is a user with what a token is decided on and made of, as it was at one
// moment. It is never kept beyond a request.
type Person struct {
	*realm.User
	RoleIDs     []string // direct ones
	GroupIDs    []string
	ViaGroupIDs []string // ids of the roles that the groups and their parents give
	Credentials []string // their types
}

// between separates ids in one column: no id holds it.
const between = "\x1f"

// personColumns read a Person in one row: three reads less than one a relation.
// $1 is between.
const personColumns = `u.id, u.realm_id, u.username, u.email, u.enabled, u.email_verified, u.service_client, u.version, u.gate, u.created_at, u.doc,
	coalesce((SELECT string_agg(role_id, $1) FROM user_roles WHERE user_id = u.id), ''),
	coalesce((SELECT string_agg(group_id, $1) FROM memberships WHERE user_id = u.id), ''),
	coalesce((SELECT string_agg(type, $1) FROM credentials WHERE user_id = u.id), ''),
	EXISTS (SELECT 1 FROM user_attributes WHERE user_id = u.id)`

// personRow is where a row's columns go.
type personRow struct {
	user                 realm.User
	doc                  string
	created              int64
	roles, groups, kinds string
	hasAttributes        bool
}

func (r *personRow) into() []any {
	u := &r.user
	return []any{&u.ID, &u.RealmID, &u.Username, &u.Email, &u.Enabled, &u.EmailVerified, &u.ServiceAccountClient, &u.Version, &u.Gate, &r.created, &r.doc,
		&r.roles, &r.groups, &r.kinds, &r.hasAttributes}
}

// person completes what one row told: attributes and the roles of groups are read
// where there are any.
func (s *Store) person(ctx context.Context, r *personRow) (*Person, error) {
	u := &r.user
	u.CreatedAt = instant(r.created)
	err := decodeRest(r.doc, u)
	if err != nil {
		return nil, err
	}
	p := &Person{User: u, RoleIDs: split(r.roles), GroupIDs: split(r.groups), Credentials: split(r.kinds)}
	if r.hasAttributes {
		if err := s.attributes(ctx, u); err != nil {
			return nil, err
		}
	}
	if len(p.GroupIDs) > 0 {
		p.ViaGroupIDs, err = s.rolesViaGroups(ctx, u.RealmID, u.ID)
	}
	return p, err
}

func split(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, between)
}

func (s *Store) onePerson(ctx context.Context, where string, args ...any) (*Person, error) {
	r, err := byKeys(ctx, s, func(row scanner) (*personRow, error) { r := &personRow{}; return r, row.Scan(r.into()...) },
		"SELECT "+personColumns+" FROM users u WHERE "+where, append([]any{between}, args...)...)
	if err != nil {
		return nil, err
	}
	return s.person(ctx, r)
}

// Person gives a user by id, or ErrNotFound.
func (s *Store) Person(ctx context.Context, realmID, id string) (*Person, error) {
	return s.onePerson(ctx, "u.realm_id = $2 AND u.id = $3", realmID, id)
}

// ServiceAccount gives the user that stands for a client (its UUID).
func (s *Store) ServiceAccount(ctx context.Context, realmID, clientID string) (*Person, error) {
	return s.onePerson(ctx, "u.realm_id = $2 AND u.service_client = $3", realmID, clientID)
}

// Presence is a session with its user, one client's part of it, and whether a
// token was revoked.
type Presence struct {
	Session *realm.Session // an ended one too: EndedAt says so
	Person  *Person
	Part    time.Time // the client's part began; zero when there is none or it was ended
	Revoked bool      // RevokeToken was called for the token
}

// Presence gives what a token that came back depends on, as it is at one moment:
// the session, or ErrNotFound, the client's part in it (UUID) and the token's jti,
// "" for none.
func (s *Store) Presence(ctx context.Context, realmID, sessionID, clientID, jti string) (*Presence, error) {
	var out Presence
	var part int64
	r, err := byKeys(ctx, s, func(row scanner) (*personRow, error) {
		r := &personRow{}
		var err error
		out.Session, err = scanSession(rest{row, append(r.into(), &part, &out.Revoked)})
		return r, err
	}, `SELECT n.id, n.realm_id, n.user_id, n.token_hash, n.started_at, n.last_seen_at, n.auth_time, n.ended_at, n.remember_me, n.methods, n.ip, n.user_agent, n.offline, `+
		personColumns+`,
		coalesce((SELECT started_at FROM client_sessions WHERE session_id = n.id AND client_id = $4 AND ended_at = 0), 0),
		EXISTS (SELECT 1 FROM used_once WHERE realm_id = $2 AND kind = $5 AND value = $6)
		FROM sessions n JOIN users u ON u.id = n.user_id AND u.realm_id = n.realm_id WHERE n.realm_id = $2 AND n.id = $3`,
		between, realmID, sessionID, clientID, revokedToken, jti)
	if err != nil {
		return nil, err
	}
	out.Part = instant(part)
	out.Person, err = s.person(ctx, r)
	return &out, err
}

// rest scans further columns of the same row behind those that are asked for.
type rest struct {
	row  scanner
	into []any
}

// Scan reads the row once.
func (r rest) Scan(dest ...any) error { return r.row.Scan(append(dest, r.into...)...) }

func (s *Store) rolesViaGroups(ctx context.Context, realmID, userID string) ([]string, error) {
	return list(ctx, s.read, scanText, `WITH RECURSIVE mine (id, parent_id) AS (
			SELECT g.id, g.parent_id FROM memberships m JOIN realm_groups g ON g.id = m.group_id WHERE m.user_id = $1 AND g.realm_id = $2
			UNION SELECT g.id, g.parent_id FROM realm_groups g JOIN mine ON g.id = mine.parent_id)
		SELECT DISTINCT gr.role_id FROM mine JOIN group_roles gr ON gr.group_id = mine.id`, userID, realmID)
}
