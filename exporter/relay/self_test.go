package relay_test

import (
	"net"
	"net/url"
	"testing"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
)

func TestIsOneOf(t *testing.T) {
	t.Parallel()
	type testCase struct {
		target, listen string
		want           bool
	}
	tests := []testCase{
		{"http://127.0.0.1:8080", ":8080", true},
		{"http://127.0.0.1:8080", "127.0.0.1:8080", true},
		{"http://127.0.0.1:8080/", "localhost:8080", true},
		{"http://127.0.0.5:8080", ":8080", true},
		{"http://127.0.0.5:8080", "0.0.0.0:8080", true},
		{"http://127.0.0.5:8080", "127.0.0.1:8080", false},
		{"http://127.0.0.5:8080", "localhost:8080", false},
		{"http://127.0.0.1:8081", ":8080", false},
		{"http://localhost:8080", ":8080", true},
		{"http://LocalHost.:8080", "127.0.0.1:8080", true},
		{"http://localhost:8080", "[::1]:8080", true},
		{"http://localhost:8080", "0.0.0.0:8080", true},
		{"http://localhost:8080", "127.0.0.2:8080", false},
		{"http://[::1]:8080", ":8080", true},
		{"http://[::1]:8080", "[::]:8080", true},
		{"http://[::1]:8080", "0.0.0.0:8080", false},
		{"http://[::ffff:127.0.0.1]:8080", "127.0.0.1:8080", true},
		{"http://127.0.0.1:8080", "[::]:8080", true},
		{"http://0.0.0.0:8080", "127.0.0.1:8080", true},
		{"http://0.0.0.0:8080", ":8080", true},
		{"http://[::]:8080", "[::1]:8080", true},
		{"http://127.0.0.1", ":80", true},
		{"http://127.0.0.1", ":http", true},
		{"https://127.0.0.1", ":443", true},
		{"https://127.0.0.1", ":80", false},
		{"http://127.0.0.1:080", ":80", true},
		{"http://203.0.113.9:8080", ":8080", false},
		{"http://app:8080", ":8080", false},
		{"http://App.example:8080", "app.example:8080", true},
		{"http://app.example:8080", "other.example:8080", false},
		{"unix:/run/app.sock", ":80", false},
		{"http://127.0.0.1:8080", "127.0.0.1:0", false},
		{"http://127.0.0.1:8080", "no address", false},
		{"http://127.0.0.1:8080", ":no-such-port", false},
	}
	for _, own := range interfaceAddresses(t) {
		tests = append(tests,
			testCase{"http://" + own + ":8080", ":8080", true},
			testCase{"http://" + own + ":8080", "0.0.0.0:8080", true},
			testCase{"http://" + own + ":8080", own + ":8080", true},
			testCase{"http://" + own + ":8080", "127.0.0.1:8080", false})
	}
	for _, test := range tests {
		target, err := url.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := relay.IsOneOf(target, []string{"127.0.0.1:1", test.listen}); got != test.want {
			t.Errorf("%s with a listener on %s: %t, want %t", test.target, test.listen, got, test.want)
		}
	}
	if relay.IsOneOf(&url.URL{Scheme: "http", Host: "127.0.0.1:8080"}, nil) {
		t.Error("it is one of none")
	}
}

// interfaceAddresses returns the IPv4 addresses of this machine but for loopback ones.
func interfaceAddresses(t *testing.T) (own []string) {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && !network.IP.IsLoopback() {
			own = append(own, network.IP.String())
		}
	}
	return own
}
