package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"
)

// keptStatements is how many statements a connection keeps: more than the hot
// ones, far less than what a search can make up.
const keptStatements = 64

// openSQLite opens a pool whose connections keep what they prepared: SQLite takes
// longer to parse a query than to read a row. brief is for the pool of the one
// writer: its statements change few rows and wait for nobody in this process, so
// nobody watches each of them for the end of its context; database/sql still rolls
// the transaction back.
func openSQLite(dsn string, brief bool) (*sql.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return sql.OpenDB(keepingConnector{c, brief}), nil
}

type keepingConnector struct {
	driver.Connector
	brief bool
}

// Connect opens a connection that keeps its statements.
func (k keepingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := c.(sqliteConn)
	if !ok {
		return c, nil // another driver: slower, and right
	}
	return &keepingConn{sqliteConn: inner, brief: k.brief, kept: map[string]driver.Stmt{}}, nil
}

// sqliteConn is everything that database/sql asks a connection of this driver for.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keepingConn runs one thing at a time, as every connection of database/sql.
type keepingConn struct {
	sqliteConn
	brief bool
	kept  map[string]driver.Stmt
}

// Unwrap is for the driver's own functions on a connection.
func (c *keepingConn) Unwrap() driver.Conn { return c.sqliteConn }

// ExecContext runs a kept statement.
func (c *keepingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 { // a pragma, a migration
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	st, run, err := take[driver.StmtExecContext](ctx, c, query)
	if err != nil {
		return nil, err
	}
	defer c.give(query, st)
	if c.brief {
		ctx = context.WithoutCancel(ctx)
	}
	return run.ExecContext(ctx, args)
}

// QueryContext runs a kept statement, which is in use until the rows are closed.
func (c *keepingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 0 {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	st, run, err := take[driver.StmtQueryContext](ctx, c, query)
	if err != nil {
		return nil, err
	}
	if c.brief {
		ctx = context.WithoutCancel(ctx)
	}
	rows, err := run.QueryContext(ctx, args)
	if err != nil {
		c.give(query, st)
		return nil, err
	}
	return &keptRows{Rows: rows, conn: c, query: query, st: st}, nil
}

// take takes a statement out, so that the same query inside its own rows gets
// another one.
func take[T any](ctx context.Context, c *keepingConn, query string) (st driver.Stmt, run T, err error) {
	st, ok := c.kept[query]
	if ok {
		delete(c.kept, query)
	} else if st, err = c.PrepareContext(ctx, query); err != nil {
		return nil, run, err
	}
	if run, ok = st.(T); !ok {
		return nil, run, fmt.Errorf("store: a %T runs nothing", st)
	}
	return st, run, nil
}

// give puts a statement back. Where there are too many, another one goes.
func (c *keepingConn) give(query string, st driver.Stmt) {
	if old, ok := c.kept[query]; ok {
		_ = old.Close()
	}
	for other, old := range c.kept {
		if len(c.kept) < keptStatements {
			break
		}
		delete(c.kept, other)
		_ = old.Close()
	}
	c.kept[query] = st
}

// Close gives the statements back with the connection.
func (c *keepingConn) Close() error {
	for _, st := range c.kept {
		_ = st.Close() // the connection goes whatever it says
	}
	c.kept = nil
	return c.sqliteConn.Close()
}

type keptRows struct {
	driver.Rows
	conn  *keepingConn
	query string
	st    driver.Stmt
}

// Close ends the rows and gives the statement back, once.
func (r *keptRows) Close() error {
	if r.st == nil {
		return nil
	}
	err := r.Rows.Close()
	r.conn.give(r.query, r.st)
	r.st = nil
	return err
}
