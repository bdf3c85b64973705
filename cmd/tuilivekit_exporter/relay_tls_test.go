package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// startTLSApp starts an app with a certificate of an authority, which asks for one of the
// same and says whose it got.
func startTLSApp(t *testing.T, a *authority) (address string) {
	t.Helper()
	pair, err := tls.X509KeyPair(asBytes(a.issue(1)))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.ServerName, r.Proto, len(r.TLS.PeerCertificates))
	}))
	app.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
	app.EnableHTTP2 = true
	app.Config.ErrorLog = log.New(io.Discard, "", 0)
	app.StartTLS()
	t.Cleanup(app.Close)
	return app.Listener.Addr().String()
}

func TestRelayTLS(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	address := startTLSApp(t, ca)
	dir := t.TempDir()
	ca.issueFiles(dir, 2)
	own := func(keys string) []string { return []string{"tls_config: {" + keys + "}"} }
	trusting := func(a *authority) string { return "ca_file: " + a.file }
	identity := ", cert_file: " + filepath.Join(dir, "server.crt") + ", key_file: " + filepath.Join(dir, "server.key")
	for name, test := range map[string]struct {
		tls    []string
		system *authority // that the system trusts
		want   string     // empty: not reached
	}{
		"own CA":             {tls: own(trusting(ca)), want: "HTTP/1.10"},
		"client certificate": {tls: own(trusting(ca) + identity), want: "HTTP/1.11"},
		"system CA":          {system: ca, want: "HTTP/1.10"},
		"another CA":         {tls: own(trusting(stranger)), system: ca},
		"unknown CA":         {},
		"server name":        {tls: own(trusting(ca) + ", server_name: other.example")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := writeFile(t, t.TempDir(), "exporter.yml", relayTo("https://"+address, test.tls...))
			e := startExporterTrusting(t, test.system, "--config.file="+file)
			answer := call(t, e.address(), posting(giftQuery, "{}"))
			if test.want == "" {
				expectFail(t, answer, http.StatusBadGateway)
				if got := e.scrape().sum(metricRelayFailures, `reason="unreachable"`); got != 1 {
					t.Errorf("%v failures to reach the app, want 1", got)
				}
			} else if answer.Start != "200" || answer.Body != test.want {
				t.Errorf("answer %+v, want %s", answer, test.want)
			}
			e.noComplaints()
		})
	}
}

// startExporterTrusting starts an exporter on a system that trusts one authority, or as it is.
func startExporterTrusting(t *testing.T, a *authority, args ...string) *exporter {
	t.Helper()
	e := &exporter{client: newClient(t, nil)}
	e.process = startWith(t, func(cmd *exec.Cmd) {
		if a != nil {
			cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+a.file)
		}
	}, "tuilivekit_exporter", withDefaults(args)...)
	e.webhook, e.web = "http://"+e.listening("webhook"), "http://"+e.listening("web")
	return e
}

func TestRelayUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "app.sock")
	e := startRelay(t, "unix:"+socket)
	expectFail(t, call(t, e.address(), posting(giftQuery, "{}")), http.StatusBadGateway)
	for range 2 { // the app may start anew
		listener, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		app := serveWire(t, listener)
		app.set(wirePlan{answer: okAnswer})
		for range 3 {
			request := posting(giftQuery, "{}")
			if answer := call(t, e.address(), request); answer.Start != "200" {
				t.Errorf("answer %+v", answer)
			}
			if arrived := app.next(); arrived.Header[1] != "Host: a" {
				t.Errorf("request %+v", arrived)
			}
		}
		listener.Close()
		app.hangUp()
		_ = os.Remove(socket) // gone with its listener
	}
}
