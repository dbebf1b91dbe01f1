package latchkey

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrNoSession is what a Store returns for a session that it does not have.
var ErrNoSession = errors.New("latchkey: no such session")

// Store keeps sessions on the server. data is sealed: a store cannot read it.
// It must be safe for concurrent use. A session that has expired is ErrNoSession.
type Store interface {
	Load(ctx context.Context, id string) (data []byte, err error)
	Save(ctx context.Context, id string, data []byte, expires time.Time) error
	Delete(ctx context.Context, id string) error // of what is not there: nil
}

// MemoryStore keeps sessions in this process, for one process and for tests.
// The zero value is ready to use.
type MemoryStore struct {
	Now func() time.Time // time.Now when nil

	mu   sync.Mutex
	rows map[string]memoryRow
}

type memoryRow struct {
	data    []byte
	expires time.Time
}

func (m *MemoryStore) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// Load gives a session's data, or ErrNoSession.
func (m *MemoryStore) Load(_ context.Context, id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.rows[id]
	if !ok || !m.now().Before(row.expires) {
		return nil, ErrNoSession
	}
	return row.data, nil
}

// Save keeps a session, and forgets those that have expired.
func (m *MemoryStore) Save(_ context.Context, id string, data []byte, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil {
		m.rows = map[string]memoryRow{}
	}
	m.rows[id] = memoryRow{data, expires}
	for old, row := range m.rows {
		if !m.now().Before(row.expires) {
			delete(m.rows, old)
		}
	}
	return nil
}

// Delete forgets a session.
func (m *MemoryStore) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, id)
	return nil
}
