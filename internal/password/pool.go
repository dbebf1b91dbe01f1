package password

import (
	"context"
	"runtime"
	"time"
)

// maxWait is how long a login waits for its turn before it is told to come
// again: a queue that grows without end helps nobody.
const maxWait = 2 * time.Second

// Pool hashes with bounded parallelism: memory and processors stay for
// everything that needs no password.
type Pool struct {
	cost  Cost
	slots chan struct{}
	dummy Hash
}

// NewPool makes a pool of so many hashes at once; 0 means one a processor.
func NewPool(workers int, cost Cost) (*Pool, error) {
	if workers <= 0 {
		workers = runtime.NumCPU()
	}
	dummy, err := nobodysHash(cost)
	return &Pool{cost: cost, slots: make(chan struct{}, workers), dummy: dummy}, err
}

func (p *Pool) enter(ctx context.Context) (leave func(), err error) {
	wait := time.NewTimer(maxWait)
	defer wait.Stop()
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-wait.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// nobodysHash costs what any other hash costs to verify and is the hash of
// nothing: its value is random. It costs nothing to make, so a start is quick.
func nobodysHash(c Cost) (Hash, error) { return encodeHash(random(saltBytes), random(keyBytes), c) }

// Hash hashes a new password. Errors: ErrTooLong, ErrBusy.
func (p *Pool) Hash(ctx context.Context, password string) (Hash, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return Hash{}, err
	}
	defer leave()
	return hashNew(password, p.cost)
}

// Verify compares a password with a stored hash. rehash says that a better hash
// should be stored. Errors: ErrBusy, ErrUnknown.
func (p *Pool) Verify(ctx context.Context, password string, h Hash) (ok, rehash bool, err error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	return verify(password, h, p.cost)
}

// VerifyNobody costs what Verify costs, for a user who does not exist or has no
// password: the time must not tell (S-82).
func (p *Pool) VerifyNobody(ctx context.Context, password string) error {
	_, _, err := p.Verify(ctx, password, p.dummy)
	return err
}
