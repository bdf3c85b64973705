package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal opens a pseudo-terminal: what is written to the terminal can be read from the other end.
func openTerminal(t *testing.T) (terminal, otherEnd *os.File) {
	t.Helper()
	otherEnd, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { otherEnd.Close() })
	if err := unix.IoctlSetPointerInt(int(otherEnd.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(otherEnd.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal, otherEnd
}

func TestLogOnTerminal(t *testing.T) {
	t.Parallel()
	for format, coloured := range map[string]bool{"console": true, "logfmt": false, "json": false} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			terminal, otherEnd := openTerminal(t)
			e := &exporter{process: startWith(t, func(cmd *exec.Cmd) { cmd.Stderr = terminal }, "tuilivekit_exporter",
				withDefaults([]string{"--webhook.sdk-app-id=" + appID, "--log.format=" + format})...)}
			terminal.Close() // the exporter's is the last one: reading ends with it
			read := make(chan struct{})
			go func() {
				defer close(read)
				_, _ = otherEnd.WriteTo(&e.stderr) // ends with an error when the terminal is closed
			}()
			e.listening("webhook")
			e.signal(syscall.SIGTERM)
			e.wait()
			<-read
			if log := e.stderr.String(); strings.Contains(log, "\x1b[") != coloured || !strings.Contains(log, "Stopped") {
				t.Errorf("colours are there: %t, want %t: %q", !coloured, coloured, log)
			}
		})
	}
}
