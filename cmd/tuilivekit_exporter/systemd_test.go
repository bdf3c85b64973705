//go:build unix

package main_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// listenFor makes a command start with sockets as systemd passes them.
func listenFor(t *testing.T, sockets ...*os.File) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		shell, err := exec.LookPath("sh")
		if err != nil {
			t.Fatal(err)
		}
		// Only the process itself knows its id.
		cmd.Path, cmd.Args = shell, append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`}, cmd.Args...)
		cmd.Env = append(os.Environ(), "LISTEN_FDS="+string(rune('0'+len(sockets))), "LISTEN_FDNAMES=")
		cmd.ExtraFiles = sockets
	}
}

func TestSystemdSocket(t *testing.T) {
	t.Parallel()
	args := withDefaults([]string{"--webhook.sdk-app-id=" + appID, "--webhook.systemd-socket", "--webhook.listen-address=256.0.0.1:0"})
	tests := map[string]func(t *testing.T) (net.Listener, *http.Client){
		"TCP": func(t *testing.T) (net.Listener, *http.Client) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return listener, newClient(t, nil)
		},
		"Unix": func(t *testing.T) (net.Listener, *http.Client) {
			path := filepath.Join(t.TempDir(), "webhook.sock")
			listener, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			listener.(*net.UnixListener).SetUnlinkOnClose(false)
			return listener, newClient(t, &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", path)
			}})
		},
	}
	for name, listen := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, client := listen(t)
			socket, err := listener.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			e := &exporter{process: startWith(t, listenFor(t, socket), "tuilivekit_exporter", args...), client: client}
			socket.Close()
			e.webhook = "http://" + "webhook.example"
			if listener.Addr().Network() == "tcp" {
				e.webhook = "http://" + listener.Addr().String()
			}
			listener.Close() // the exporter holds the socket
			if status := e.destroy("room", ""); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			e.web, e.client = "http://"+e.listening("web"), newClient(t, nil)
			if rooms := e.scrape().sum(metricRooms); rooms != 1 {
				t.Errorf("%v rooms, want 1", rooms)
			}
		})
	}
}

// TestSystemdSocketMissing starts it as no socket unit did.
func TestSystemdSocketMissing(t *testing.T) {
	t.Parallel()
	args := withDefaults([]string{"--webhook.sdk-app-id=" + appID, "--webhook.systemd-socket"})
	code, _, stderr := run(t, "", "tuilivekit_exporter", args...)
	if code != 1 || !strings.Contains(stderr, "passed 0, not one") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
