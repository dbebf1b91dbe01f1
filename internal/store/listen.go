package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// listener hears which realms other nodes changed and drops them from the cache
// early. It is a help and no more: what it misses the look once a second finds.
type listener struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

// listen starts listening on a connection of its own.
func listen(c *pgx.ConnConfig, drop func(realmID string)) *listener {
	ctx, stop := context.WithCancel(context.Background())
	l := &listener{stop: stop}
	l.done.Go(func() {
		for ctx.Err() == nil {
			_ = hear(ctx, c.Copy(), drop) // whoever asks the database next reports what is wrong with it
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	return l
}

func hear(ctx context.Context, c *pgx.ConnConfig, drop func(realmID string)) error {
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		drop(n.Payload)
	}
}

func (l *listener) close() {
	l.stop()
	l.done.Wait()
}
