package password

import (
	"runtime"
	"testing"
)

// An import asks it of every user: a hash each would make a file of a hundred
// thousand users take half an hour. What it takes is told by the memory that argon2
// needs.
func TestUsableDerivesNothing(t *testing.T) {
	h, err := encodeHash(make([]byte, 16), make([]byte, keyBytes), Cost{Time: 1, MemoryKiB: 64 << 10, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := Usable(h); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("it took %d bytes", took)
	}
}
