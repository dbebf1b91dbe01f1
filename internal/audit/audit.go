// Package audit records what happened to logins and to the configuration: a
// line in the log for every event, and a row in the store for realms that keep
// their events.
//
// It decides nothing and holds no secret: a caller names the reason, the
// client, the user and the session, never a token, a code or a password.
// journey, the grants, logout and manage call it.
package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
)

// Types of login events, in Keycloak's words.
const (
	Login             = "LOGIN"
	LoginError        = "LOGIN_ERROR"
	CodeToToken       = "CODE_TO_TOKEN"
	CodeToTokenError  = "CODE_TO_TOKEN_ERROR"
	RefreshToken      = "REFRESH_TOKEN"
	RefreshTokenError = "REFRESH_TOKEN_ERROR"
	ClientLogin       = "CLIENT_LOGIN"
	ClientLoginError  = "CLIENT_LOGIN_ERROR"
	Logout            = "LOGOUT"
	LogoutError       = "LOGOUT_ERROR"
	UpdatePassword    = "UPDATE_PASSWORD"
	UpdateProfile     = "UPDATE_PROFILE"
)

// Appender keeps events; *store.Store is one.
type Appender interface {
	AppendEvents(ctx context.Context, events ...realm.Event) error
}

// Log records events. Store may be nil: then nothing is kept beyond the log.
type Log struct {
	Logger *slog.Logger
	Store  Appender
	Now    func() time.Time
}

// Record writes one event. Failing to keep it is logged and does not fail the
// login: an audit table that is full must not lock everybody out.
func (l *Log) Record(ctx context.Context, r *realm.Realm, e realm.Event) {
	l.record(ctx, slog.LevelInfo, r, e)
}

func (l *Log) record(ctx context.Context, level slog.Level, r *realm.Realm, e realm.Event) {
	e.RealmID, e.Time = r.ID, l.Now()
	l.Logger.LogAttrs(ctx, level, "event", attrs(r.Name, e)...)
	if l.Store == nil || !keepsEvents(r) {
		return
	}
	// Whoever hangs up in time must not keep their tries out of the record.
	if err := l.Store.AppendEvents(context.WithoutCancel(ctx), e); err != nil {
		l.Logger.ErrorContext(ctx, "event not kept", "type", e.Type, "err", err)
	}
}

// Refused writes a failed attempt. The reason and the exact cause stand in the
// log only; the person sees the reason's own text.
func (l *Log) Refused(ctx context.Context, r *realm.Realm, e realm.Event, err error) {
	e.Error = string(oauth.ReasonOf(err))
	e.Details = withCause(e.Details, err)
	level := slog.LevelWarn
	if errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled) { // nobody was refused: the visitor left
		level = slog.LevelInfo
	}
	l.record(ctx, level, r, e)
}

func withCause(details map[string]string, err error) map[string]string {
	out := map[string]string{"cause": err.Error()}
	for k, v := range details {
		out[k] = v
	}
	return out
}

func keepsEvents(r *realm.Realm) bool { return string(r.Extra["eventsEnabled"]) == "true" }

func attrs(realmName string, e realm.Event) []slog.Attr {
	out := []slog.Attr{slog.String("type", e.Type), slog.String("realm", realmName)}
	for _, a := range []struct{ key, value string }{
		{"reason", e.Error}, {"client", e.ClientID}, {"user", e.UserID}, {"session", e.SessionID}, {"ip", e.IP},
	} {
		if a.value != "" {
			out = append(out, slog.String(a.key, a.value))
		}
	}
	for k, v := range e.Details {
		out = append(out, slog.String(k, v))
	}
	return out
}
