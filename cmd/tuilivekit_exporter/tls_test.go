package main_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startTLS starts the exporter with the same web configuration on both
// listeners, and a client that it accepts.
func startTLS(t *testing.T, webConfig string, client *http.Client, args ...string) *exporter {
	t.Helper()
	e := startExporter(t, append(args, "--webhook.config.file="+webConfig, "--web.config.file="+webConfig)...)
	e.client = client
	e.webhook = strings.Replace(e.webhook, "http:", "https:", 1)
	e.web = strings.Replace(e.web, "http:", "https:", 1)
	return e
}

// refused fails the test if a client gets an answer from either listener.
func (e *exporter) refused(what string, client *http.Client) {
	e.t.Helper()
	for _, url := range []string{e.destroyedURL(""), e.web + "/metrics"} {
		request, err := http.NewRequestWithContext(e.t.Context(), http.MethodPost, url, strings.NewReader(destroyedBody("refused")))
		if err != nil {
			e.t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			continue
		}
		response.Body.Close()
		e.t.Errorf("%s got an answer from %s: %s", what, url, response.Status)
	}
}

// plainRefused fails the test if a listener serves HTTP without TLS.
func (e *exporter) plainRefused() {
	e.t.Helper()
	client := newClient(e.t, nil)
	for _, url := range []string{e.destroyedURL(""), e.web + "/metrics"} {
		status, _ := request(e.t, client, http.MethodPost, strings.Replace(url, "https:", "http:", 1), destroyedBody("plain"))
		if status != http.StatusBadRequest {
			e.t.Errorf("plain HTTP got status %d from %s", status, url)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	ca.issueFiles(dir, 1)
	webConfig := writeFile(t, dir, "web.yml", "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n")
	tokenFile := writeFile(t, dir, "sim.token", token)
	e := startTLS(t, webConfig, ca.tlsClient(nil), "--config.file="+writeFile(t, dir, "exporter.yml", config("[sim.token]")))

	trusting := func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca.file) }
	sent := startRoomsim(t, trusting, e.webhook, tokenFile, "--rooms=200").report()
	e.refused("a client of another authority", stranger.tlsClient(nil))
	e.plainRefused()
	compare(t, "counter", e.scrape().counters(), counters(sent))
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	ca.issueFiles(dir, 1)
	webConfig := writeFile(t, dir, "web.yml", "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"+
		"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: "+ca.file+"\n")
	e := startTLS(t, webConfig, ca.tlsClient(ca), "--webhook.sdk-app-id="+appID)

	if status := e.destroy("room", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	e.refused("a client without a certificate", ca.tlsClient(nil))
	e.refused("a client with a certificate of another authority", ca.tlsClient(stranger))
	e.plainRefused()
	if rooms := e.scrape().sum(metricRooms); rooms != 1 {
		t.Errorf("%v rooms, want 1", rooms)
	}

	// A renewed certificate is shown on new connections, without a restart or reload.
	ca.issueFiles(dir, 2)
	client := ca.tlsClient(ca)
	for _, url := range []string{e.webhook, e.web} {
		response, err := client.Get(url + "/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if serial := response.TLS.PeerCertificates[0].SerialNumber.Int64(); serial != 2 {
			t.Errorf("%s shows certificate %d, want the renewed one, 2", url, serial)
		}
		if response.TLS.Version < tls.VersionTLS12 {
			t.Errorf("%s speaks TLS version %x", url, response.TLS.Version)
		}
	}
}

func TestBadWebConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, "ca")
	ca.issueFiles(dir, 1)
	for name, test := range map[string]struct{ content, want string }{
		"unknown key":         {"tls_server:\n  cert_file: server.crt\n", "tls_server"},
		"missing key file":    {"tls_server_config:\n  cert_file: server.crt\n", "key_file"},
		"missing certificate": {"tls_server_config:\n  cert_file: gone.crt\n  key_file: server.key\n", "gone.crt"},
		"missing authority":   {"tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: gone.crt\n", "gone.crt"},
	} {
		file := writeFile(t, dir, strings.ReplaceAll(name, " ", "-")+".yml", test.content)
		for _, flag := range []string{"--webhook.config.file", "--web.config.file"} {
			t.Run(name+" "+flag, func(t *testing.T) {
				t.Parallel()
				args := withDefaults([]string{"--webhook.sdk-app-id=" + appID, flag + "=" + file})
				for what, args := range map[string][]string{"check": append(args, "--config.check"), "start": args} {
					code, stdout, stderr := run(t, "", "tuilivekit_exporter", args...)
					if code != 1 || stdout != "" || !strings.Contains(stderr, flag[len("--"):]) || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "Listening") {
						t.Errorf("%s: exit code %d, want 1 and an error with %s and %s\n%s%s", what, code, flag, test.want, stdout, stderr)
					}
				}
			})
		}
	}
	t.Run("missing file", func(t *testing.T) {
		t.Parallel()
		gone := filepath.Join(dir, "gone.yml")
		code, _, stderr := run(t, "", "tuilivekit_exporter", "--webhook.sdk-app-id="+appID, "--web.config.file="+gone, "--config.check")
		if code != 1 || !strings.Contains(stderr, gone) {
			t.Errorf("exit code %d, want 1 and an error with the file\n%s", code, stderr)
		}
	})
}
