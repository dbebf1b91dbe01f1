//go:build unix

package main_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	ossignal "os/signal"
	"syscall"
	"testing"
	"time"
)

// However the demo ends, it leaves no file, no process and no port behind.
func TestTheDemoLeavesNothing(t *testing.T) {
	latchkey := builtLatchkey(t)
	// A run that was started so that it outlives its terminal (nohup) hands that on: a
	// signal that is handled here is as it should be there.
	hangups := make(chan os.Signal, 1)
	ossignal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { ossignal.Stop(hangups) })
	line := func(stdout io.ReadCloser, _ *exec.Cmd) error {
		_, err := bufio.NewReader(stdout).ReadString('\n')
		return err
	}
	signal := func(s syscall.Signal) func(io.ReadCloser, *exec.Cmd) error {
		return func(stdout io.ReadCloser, cmd *exec.Cmd) error {
			return errors.Join(line(stdout, cmd), cmd.Process.Signal(s))
		}
	}
	for _, c := range []struct {
		name  string
		end   func(io.ReadCloser, *exec.Cmd) error
		clean bool // exit code 0
	}{
		{"Ctrl-C", signal(syscall.SIGINT), true},
		{"SIGTERM", signal(syscall.SIGTERM), true},
		{"the terminal goes away", signal(syscall.SIGHUP), false},
		{"SIGKILL", signal(syscall.SIGKILL), false},
		{"SIGTERM before it is ready", func(_ io.ReadCloser, cmd *exec.Cmd) error {
			time.Sleep(50 * time.Millisecond)
			return cmd.Process.Signal(syscall.SIGTERM)
		}, false},
		{"nobody reads what it prints", func(stdout io.ReadCloser, _ *exec.Cmd) error { return stdout.Close() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			home, app, provider := t.TempDir(), freeAddr(t), freeAddr(t)
			cmd := exec.CommandContext(t.Context(), latchkey, "demo", "--json", "--app-addr", app, "--addr", provider)
			cmd.Env, cmd.Dir = append(os.Environ(), "HOME="+home, "TMPDIR="+home), home
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if err := c.end(stdout, cmd); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				if c.clean && err != nil {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("it goes on")
				_ = cmd.Process.Kill()
			}
			nothingIsLeft(t, home, cmd.Process.Pid, app, provider)
		})
	}
}

func nothingIsLeft(t *testing.T, home string, group int, addrs ...string) {
	t.Helper()
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("files: %v, %v", left, err)
	}
	if err := syscall.Kill(-group, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("processes: %v", err)
	}
	for _, addr := range addrs {
		_, port, _ := net.SplitHostPort(addr)
		for _, host := range []string{"127.0.0.1", "::1"} {
			if c, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), time.Second); err == nil {
				c.Close()
				t.Errorf("%s:%s still answers", host, port)
			}
		}
	}
}
