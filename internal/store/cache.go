package store

import (
	lru "container/list"
	"context"
	"strings"
	"sync"
	"time"
)

// cache keeps what was read of the configuration: bounded in bytes, the least
// recently used goes first. A key is "realm id/kind/…", so that a write to a
// realm can drop all of it. Values are shared and never changed.
type cache struct {
	mu       sync.Mutex
	entries  map[string]*lru.Element
	order    *lru.List
	bytes    int
	most     int
	versions map[string]int64
	looked   time.Time
	epoch    int64 // moves with every drop: what was read before must not be put after
}

type entry struct {
	key   string
	value any
	size  int
}

func newCache(most int) *cache {
	if most == 0 {
		most = 64 << 20
	}
	return &cache{entries: map[string]*lru.Element{}, order: lru.New(), most: most, versions: map[string]int64{}}
}

func (c *cache) get(key string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry).value, true
}

func (c *cache) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *cache) put(key string, value any, size int, epoch int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch || size > c.most {
		return
	}
	if old, ok := c.entries[key]; ok {
		c.remove(old)
	}
	c.entries[key] = c.order.PushFront(&entry{key, value, size})
	c.bytes += size
	for c.bytes > c.most {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(e *lru.Element) {
	old := c.order.Remove(e).(*entry)
	delete(c.entries, old.key)
	c.bytes -= old.size
}

// drop forgets everything of a realm.
func (c *cache) drop(realmID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for key, e := range c.entries {
		if strings.HasPrefix(key, realmID+"/") || strings.HasPrefix(key, "/") {
			c.remove(e)
		}
	}
}

// due reports, at most once a second, that the realms' versions want a look.
func (c *cache) due(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < time.Second && !now.Before(c.looked) {
		return false
	}
	c.looked = now
	return true
}

// changed gives the realms whose version is another than at the last look.
func (c *cache) changed(versions map[string]int64) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for id, v := range versions {
		if c.versions[id] != v {
			out = append(out, id)
		}
	}
	for id := range c.versions {
		if _, ok := versions[id]; !ok {
			out = append(out, id)
		}
	}
	c.versions = versions
	return out
}

// lookAround drops what another process has written since the last look.
func (s *Store) lookAround(ctx context.Context) error {
	if !s.cache.due(s.now()) {
		return nil
	}
	return s.Refresh(ctx)
}

// Refresh drops what another process has written until now, for a decision that
// must not rest on what is a second old.
func (s *Store) Refresh(ctx context.Context) error {
	type seen struct {
		id      string
		version int64
	}
	rows, err := list(ctx, s.read, func(r scanner) (v seen, err error) { err = r.Scan(&v.id, &v.version); return }, "SELECT id, version FROM realms")
	if err != nil {
		return err
	}
	versions := map[string]int64{}
	for _, v := range rows {
		versions[v.id] = v.version
	}
	for _, id := range s.cache.changed(versions) {
		s.cache.drop(id)
	}
	return nil
}

// cached reads through the cache. A value that is not found is not kept.
func cached[T any](ctx context.Context, s *Store, key string, load func() (T, int, error)) (T, error) {
	var zero T
	if err := s.lookAround(ctx); err != nil {
		return zero, err
	}
	if v, ok := s.cache.get(key); ok {
		return v.(T), nil
	}
	epoch := s.cache.now()
	v, size, err := load()
	if err != nil {
		return zero, err
	}
	s.cache.put(key, v, size+len(key)+200, epoch)
	return v, nil
}
