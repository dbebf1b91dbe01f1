// Package bench plays the everyday requests of a provider against a base URL, one
// at a time, and states what each took beside what the same machine could do at
// best in the same run.
//
// It is a measurement and no test: whether the answers are right is asked only as
// far as a wrong one would spoil the figure. It makes a realm of its own through
// the admin REST API and deletes it afterwards. cli calls it.
package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// Bounds of a run: it is a load generator.
const (
	MostRuns = 20_000
	MostTime = 15 * time.Minute
)

// Settled is how old a session is before it is refreshed. Within ten seconds of
// its last sign of life the provider writes none down; in life a refresh comes
// later, so here too.
const Settled = 10100 * time.Millisecond

// Options say what is measured. Target "" is this program's own provider, in this
// process, on SQLite in Dir.
type Options struct {
	Runs     int           // of every request and every limit; 1 to MostRuns
	Time     time.Duration // after which no further run begins; up to MostTime
	Settle   time.Duration // age of a session that is refreshed; usually Settled
	Dir      string        // an empty folder for the own provider's database
	Target   string        // base URL of another server
	Beside   bool          // measure the own provider too, in the same run
	Remote   string        // the host of a target that is not this machine, named plainly
	Admin    string        // administrator of the target's realm master
	Password string
	Progress io.Writer // what is being done; io.Discard for nothing
}

// ErrOptions is wrapped by every refusal of options.
var ErrOptions = errors.New("bench")

func (o Options) check() error {
	switch {
	case o.Runs < 1 || o.Runs > MostRuns:
		return fmt.Errorf("%w: %d runs; between 1 and %d", ErrOptions, o.Runs, MostRuns)
	case o.Time <= 0 || o.Time > MostTime:
		return fmt.Errorf("%w: %v; at most %v", ErrOptions, o.Time, MostTime)
	case o.Target != "" && o.Admin == "":
		return fmt.Errorf("%w: a target needs an administrator, who makes the realm that is measured", ErrOptions)
	case o.Target == "":
		return nil
	}
	_, err := parseTarget(o.Target, o.Remote)
	return err
}

// Run measures. The report holds what was measured when ctx ends early too, as
// long as every probe ran once.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	own, err := startOwn(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	defer own.close()
	servers, err := prepare(ctx, o, own)
	if err != nil {
		return nil, err
	}
	report, err := measure(ctx, o, own, servers)
	// What was made is taken away however it ended.
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	for _, s := range servers {
		err = errors.Join(err, s.remove(leaving))
	}
	return report, err
}

// prepare makes the realms. The own provider is always there: the limits read
// and write in its database.
func prepare(ctx context.Context, o Options, own *own) ([]*server, error) {
	mine, err := newServer(ctx, "latchkey", own.base, "", own.admin, own.password)
	if err != nil {
		return nil, err
	}
	mine.inside = own.direct()
	own.server = mine
	if o.Target == "" {
		return []*server{mine}, nil
	}
	theirs, err := newServer(ctx, o.Target, o.Target, o.Remote, o.Admin, o.Password)
	if err != nil {
		return nil, errors.Join(err, mine.remove(ctx))
	}
	if o.Beside {
		return []*server{mine, theirs}, nil
	}
	return []*server{theirs}, nil
}

// measure warms up for as long as sessions take to settle, then runs every probe
// in every turn, in another order each time: whatever else the machine does, and
// whatever ran before, hits all of them alike.
func measure(ctx context.Context, o Options, own *own, servers []*server) (*Report, error) {
	limits, err := newLimits(ctx, own)
	if err != nil {
		return nil, err
	}
	defer limits.close()
	probes := limits.probes()
	for _, s := range servers {
		probes = append(probes, s.probes(o.Settle)...)
	}
	fmt.Fprintf(o.Progress, "warming up for %v\n", o.Settle.Round(time.Second))
	if err := warmUp(ctx, o.Settle, probes); err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Progress, "measuring: %d runs of %d probes in turn, at most %v\n", o.Runs, len(probes), o.Time)
	taken := samples{}
	end := time.Now().Add(o.Time)
	runs := 0
	for ; runs < o.Runs && ctx.Err() == nil && (runs == 0 || time.Now().Before(end)); runs++ {
		shuffle(probes)
		if err := once(ctx, probes, taken); err != nil && (ctx.Err() == nil || runs == 0) {
			return nil, err
		}
	}
	return newReport(runs, taken, servers), nil
}

func shuffle(probes []probe) {
	for i := len(probes) - 1; i > 0; i-- {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(i+1))) // never fails
		j := int(n.Int64())
		probes[i], probes[j] = probes[j], probes[i]
	}
}

// probe is one thing that is timed. Its function does its own timing, so that
// what it needs beforehand is not counted.
type probe struct {
	key    string
	settle bool // left out while sessions settle
	times  int  // in a row, in one turn
	run    func(ctx context.Context) (time.Duration, error)
}

func warmUp(ctx context.Context, settle time.Duration, probes []probe) error {
	var early []probe
	for _, p := range probes {
		if !p.settle {
			early = append(early, p)
		}
	}
	began := time.Now()
	for first := true; first || time.Since(began) < settle; first = false {
		if err := once(ctx, early, samples{}); err != nil {
			return err
		}
	}
	return nil
}

// How often something runs in a row: what may run any number of times, and what
// uses up a session that was made and settled for it. The first quarter of a row is
// not counted: what ran before it has cooled the caches and sent processors to sleep.
const (
	inARow     = 16
	usedInARow = 4
)

func once(ctx context.Context, probes []probe, into samples) error {
	for _, p := range probes {
		for n := range p.times {
			took, err := p.run(ctx)
			if err != nil {
				return fmt.Errorf("bench: %s: %w", p.key, err)
			}
			if n >= p.times/4 {
				into[p.key] = append(into[p.key], took)
			}
		}
	}
	return nil
}
