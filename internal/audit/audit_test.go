package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
)

type kept struct {
	events []realm.Event
	err    error
}

func (k *kept) AppendEvents(ctx context.Context, events ...realm.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k.events = append(k.events, events...)
	return k.err
}

func TestRefusalHasReasonAndCauseInTheLogAlone(t *testing.T) {
	var out bytes.Buffer
	l := &audit.Log{Logger: slog.New(slog.NewJSONHandler(&out, nil)), Now: func() time.Time { return time.Unix(1, 0) }}
	cause := errors.New("row 7 is gone")
	l.Refused(t.Context(), &realm.Realm{Name: "demo"}, realm.Event{Type: audit.LoginError, ClientID: "app"},
		oauth.RefuseBecause(oauth.CodeNotValid, cause))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	want := map[string]any{"level": "WARN", "msg": "event", "type": "LOGIN_ERROR", "realm": "demo", "client": "app",
		"reason": "code_not_valid", "cause": "code_not_valid: row 7 is gone"}
	if d := cmp.Diff(want, line); d != "" {
		t.Error(d)
	}
}

func TestAVisitorWhoLeavesIsNoWarning(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want string
	}{
		{"left", gone, fmt.Errorf("waiting: %w", context.Canceled), "INFO"},
		{"left after a wrong password", gone, oauth.Refuse(oauth.WrongCredentials, ""), "WARN"},
		{"still there", t.Context(), context.Canceled, "WARN"},
	} {
		var out bytes.Buffer
		k := &kept{}
		l := &audit.Log{Logger: slog.New(slog.NewJSONHandler(&out, nil)), Store: k, Now: time.Now}
		l.Refused(c.ctx, &realm.Realm{Extra: map[string]json.RawMessage{"eventsEnabled": json.RawMessage("true")}}, realm.Event{Type: audit.LoginError}, c.err)
		var line struct{ Level string }
		if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Level != c.want || len(k.events) != 1 {
			t.Errorf("%s: %s, %d kept, %v", c.name, out.String(), len(k.events), err)
		}
	}
}

func TestEventsAreKeptWhereTheRealmSaysSo(t *testing.T) {
	on := map[string]json.RawMessage{"eventsEnabled": json.RawMessage("true")}
	for _, c := range []struct {
		name string
		r    realm.Realm
		want int
	}{{"off by default", realm.Realm{}, 0}, {"on", realm.Realm{Extra: on}, 1}} {
		t.Run(c.name, func(t *testing.T) {
			k := &kept{err: errors.New("disk full")}
			l := &audit.Log{Logger: slog.New(slog.DiscardHandler), Store: k, Now: time.Now}
			gone, hangUp := context.WithCancel(t.Context())
			hangUp() // whoever hangs up is in the record all the same
			l.Record(gone, &c.r, realm.Event{Type: audit.Login})
			if len(k.events) != c.want {
				t.Errorf("%d events kept, want %d", len(k.events), c.want)
			}
		})
	}
}
