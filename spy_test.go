package latchkey_test

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey"
)

// spyStore is a MemoryStore that remembers what it was given.
type spyStore struct {
	latchkey.MemoryStore
	seen string
	ids  map[string]bool
}

func (s *spyStore) Save(ctx context.Context, id string, data []byte, expires time.Time) error {
	if s.ids == nil {
		s.ids = map[string]bool{}
	}
	s.seen += string(data)
	s.ids[id] = true
	return s.MemoryStore.Save(ctx, id, data, expires)
}
