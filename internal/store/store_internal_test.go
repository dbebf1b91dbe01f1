package store

import (
	"testing"
	"testing/synctest"
	"time"
)

// An export reads all users of a realm by one statement. The wait for the next row
// is bounded, not the time that many rows take.
func TestALongListIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Options{Memory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		rows, err := list(t.Context(), s.read, func(r scanner) (int, error) {
			time.Sleep(patience - time.Second)
			return scanInt(r)
		}, "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4")
		if err != nil || len(rows) != 4 {
			t.Errorf("%v, %v", rows, err)
		}
	})
}
