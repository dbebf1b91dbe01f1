package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A pooler (PgBouncer and its like) between this program and PostgreSQL lends its
// connections to whoever asks, in its transaction mode for one transaction at a
// time. What PostgreSQL keeps for a connection is then somebody else's: statements
// that were prepared, LISTEN, and settings. Nothing here needs them: each statement
// is sent whole, the look once a second takes the place of NOTIFY, and what has to
// be set is set in each transaction. Locks are the transaction's, as everywhere.

// ErrPooler: what stands between has no transactions to lend.
var ErrPooler = errors.New("store: a pooler stands before the database and lets no transaction through; it has to pool sessions or transactions (PgBouncer: pool_mode = transaction)")

// pgProtocol is what a pooler says to a parameter that it does not pass on, and to
// much else.
const pgProtocol = "08P01"

const idleSetting = "idle_in_transaction_session_timeout"

// behindPooler finds out whether a pooler stands between, and changes the
// configuration to what works there.
func behindPooler(ctx context.Context, c *pgx.ConnConfig) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime+patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, c)
	if pgCode(err) == pgProtocol {
		delete(c.RuntimeParams, idleSetting)
		conn, err = pgx.ConnectConfig(ctx, c)
	}
	if err != nil {
		return false, wrap(err)
	}
	defer closeConn(ctx, conn)
	// "BackendKeyData: The process ID of this backend" (PostgreSQL's manual, 55.7): a
	// pooler makes one up for each of its clients.
	var pid uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid); err != nil {
		return false, wrap(err)
	}
	if pid == conn.PgConn().PID() {
		return false, nil
	}
	if _, err := conn.Exec(ctx, "BEGIN"); pgCode(err) == pgProtocol {
		return true, fmt.Errorf("%w: %w", ErrPooler, err)
	} else if err != nil {
		return true, wrap(err)
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // parsed and run in one step
	return true, nil
}

// writable refuses a server that may not write: a standby that the address led to
// while another took over would answer from the past until its connection ends.
func writable(ctx context.Context, c *pgconn.PgConn) error {
	return pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, c)
}

func closeConn(ctx context.Context, c *pgx.Conn) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.Close(ending)
}
