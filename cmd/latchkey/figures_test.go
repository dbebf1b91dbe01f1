package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestFigureWarmStart measures `serve` on a data folder that exists already,
// from the start of the process to its first answer, beside an http.Server
// that does nothing. LATCHKEY_FIGURES=1 runs it: on a busy machine a time
// says nothing, so it is not part of the tests.
func TestFigureWarmStart(t *testing.T) {
	if os.Getenv("LATCHKEY_FIGURES") == "" {
		t.Skip("a measurement: set LATCHKEY_FIGURES=1 on a machine that does nothing else")
	}
	latchkey, bare := builtLatchkey(t), build(t, "./testdata/bare")
	data := t.TempDir()
	serve := func() (time.Duration, int) {
		addr := freeAddr(t)
		return startToFirstAnswer(t, "http://"+addr+"/realms/master/.well-known/openid-configuration",
			latchkey, "serve", "--data", data, "--addr", addr, "--management-addr", freeAddr(t), "--url", "http://"+addr, "--admin", "admin")
	}
	limit := func() (time.Duration, int) {
		addr := freeAddr(t)
		return startToFirstAnswer(t, "http://"+addr+"/", bare, addr)
	}
	serve() // makes the data folder
	own, ownRSS := median(serve)
	best, bestRSS := median(limit)
	fmt.Printf("warm start: serve %v, bare http.Server %v, ratio %.1f\n", own.Round(100*time.Microsecond), best.Round(100*time.Microsecond), float64(own)/float64(best))
	fmt.Printf("idle memory: serve %.1f MB RSS, bare http.Server %.1f MB RSS\n", float64(ownRSS)/1024, float64(bestRSS)/1024)
}

func startToFirstAnswer(t *testing.T, address, name string, args ...string) (time.Duration, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=a long enough password")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := http.Get(address)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%s never answered", address)
		}
		time.Sleep(200 * time.Microsecond)
	}
	took := time.Since(began)
	time.Sleep(3 * time.Second)
	rss := residentKB(t, cmd.Process.Pid)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	return took, rss
}

func median(measure func() (time.Duration, int)) (time.Duration, int) {
	const runs = 7
	var times []time.Duration
	var sizes []int
	for range runs {
		d, n := measure()
		times, sizes = append(times, d), append(sizes, n)
	}
	slices.Sort(times)
	slices.Sort(sizes)
	return times[runs/2], sizes[runs/2]
}

func residentKB(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no VmRSS in /proc")
	return 0
}
