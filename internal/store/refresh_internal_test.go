package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/realm"
)

// What one use does to a family (S-31, S-32): it goes on, is rotated, or ends.
func TestRotated(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	until, before := now.Add(time.Hour), now.Add(-10*time.Second)
	at := func(generation int64, uses int, rotated time.Time) *realm.RefreshFamily {
		return &realm.RefreshFamily{ID: "f", Generation: generation, Uses: uses, RotatedAt: rotated, ExpiresAt: until}
	}
	for _, c := range []struct {
		name string
		uses int // of generation 5, which came 10 s ago
		r    Rotate
		want *realm.RefreshFamily // nil: reused
	}{
		{"rotation", 0, Rotate{Generation: 5, Rotation: true}, at(6, 0, now)},
		{"without rotation", 0, Rotate{Generation: 5}, at(5, 0, before)},
		{"a use that is allowed", 0, Rotate{Generation: 5, Rotation: true, MaxReuse: 1}, at(5, 1, before)},
		{"the last use that is allowed", 1, Rotate{Generation: 5, Rotation: true, MaxReuse: 1}, at(6, 0, now)},
		{"an older one within the grace", 0, Rotate{Generation: 4, Rotation: true, Grace: 10*time.Second + time.Millisecond}, at(5, 0, before)},
		{"an older one when the grace is over", 0, Rotate{Generation: 4, Rotation: true, Grace: 10 * time.Second}, nil},
		{"an older one without grace", 0, Rotate{Generation: 4, Rotation: true}, nil},
		{"an older one whose successor was used", 1, Rotate{Generation: 4, Rotation: true, MaxReuse: 2, Grace: time.Minute}, nil},
		{"two generations old", 0, Rotate{Generation: 3, Rotation: true, Grace: time.Minute}, nil},
		{"one that does not exist yet", 0, Rotate{Generation: 6, Rotation: true, Grace: time.Minute}, nil},
		{"an older one without rotation", 0, Rotate{Generation: 4}, nil},
		{"one that does not exist yet, without rotation", 0, Rotate{Generation: 6}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := *at(5, c.uses, before)
			f.ExpiresAt = now.Add(time.Minute)
			c.r.ExpiresAt = until
			after, reused := rotated(f, c.r, now)
			if d := cmp.Diff(c.want, after); d != "" || reused != (c.want == nil) {
				t.Errorf("reused %v: %s", reused, d)
			}
		})
	}
}
