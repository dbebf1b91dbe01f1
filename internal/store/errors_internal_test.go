package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// What the drivers say, and what a caller can act on.
func TestErrorsOfTheDriversHaveOneMeaning(t *testing.T) {
	pg := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for name, c := range map[string]struct {
		err  error
		want error // nil: none of ours, a defect
	}{
		"no row":                        {sql.ErrNoRows, ErrNotFound},
		"a unique violation":            {pg("23505"), ErrExists},
		"a NUL byte":                    {pg("22021"), ErrText},
		"shutting down":                 {pg("57P01"), ErrUnavailable},
		"starting up":                   {pg("57P03"), ErrUnavailable},
		"a statement that was ended":    {pg("57014"), ErrUnavailable},
		"disk full":                     {pg("53100"), ErrUnavailable},
		"too many connections":          {pg("53300"), ErrUnavailable},
		"a standby":                     {pg("25006"), ErrUnavailable},
		"a deadlock, five times":        {pg("40P01"), ErrUnavailable},
		"another password":              {pg("28P01"), ErrUnavailable},
		"an unexpected end":             {io.ErrUnexpectedEOF, ErrUnavailable},
		"a connection refused":          {&net.OpError{Op: "dial", Err: errors.New("refused")}, ErrUnavailable},
		"a connection that broke":       {driver.ErrBadConn, ErrUnavailable},
		"a connection that is closed":   {pgconn.ErrConnClosed, ErrUnavailable},
		"too late":                      {context.DeadlineExceeded, ErrUnavailable},
		"the visitor is gone":           {context.Canceled, nil},
		"a syntax error":                {pg("42601"), nil},
		"a foreign key":                 {pg("23503"), ErrNotFound},
		"a row that does not parse":     {errors.New("store: a row does not parse"), nil},
		"a type that does not fit":      {pg("22P02"), nil},
		"a column that is not there":    {pg("42703"), nil},
		"a value that is out of bounds": {pg("22003"), nil},
	} {
		got := wrap(c.err)
		for _, known := range []error{ErrNotFound, ErrExists, ErrText, ErrUnavailable} {
			if errors.Is(got, known) != (known == c.want) {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
	if wrap(nil) != nil {
		t.Error("nothing became something")
	}
}

func TestUniqueViolationsAreTakenApartByTheirConstraint(t *testing.T) {
	violation := func(code, constraint string) error {
		return wrap(&pgconn.PgError{Code: code, ConstraintName: constraint, Message: "users_unique_email"})
	}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"this one":             {violation("23505", "users_unique_email"), true},
		"another column":       {violation("23505", "users_username"), false},
		"another kind":         {violation("23503", "users_unique_email"), false},
		"no error of a driver": {errors.New("users.unique_email"), false},
	} {
		if violates(c.err, "users", "unique_email") != c.want {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}
