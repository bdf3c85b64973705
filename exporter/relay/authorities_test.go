package relay

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// noAuthoritiesVariable makes this test binary one on a system without certificate authorities.
const noAuthoritiesVariable = "RELAY_TEST_NO_AUTHORITIES"

func TestMain(m *testing.M) {
	if os.Getenv(noAuthoritiesVariable) != "" {
		os.Exit(checkBundled())
	}
	os.Exit(m.Run())
}

// checkBundled returns 0 if the authorities are the bundled ones, all of them.
func checkBundled() int {
	config := withAuthorities(&tls.Config{ServerName: "app.example"})
	if config.RootCAs == nil || config.ServerName != "app.example" {
		return 1
	}
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return 2
		}
		options := x509.VerifyOptions{Roots: config.RootCAs, CurrentTime: certificate.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		if _, err := certificate.Verify(options); err != nil {
			return 3
		}
	}
	if own := (&tls.Config{RootCAs: x509.NewCertPool()}); withAuthorities(own) != own {
		return 4 // those configured stand, even if they are none
	}
	return 0
}

func TestWithoutSystemAuthorities(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	nothing := t.TempDir()
	child.Env = append(os.Environ(), noAuthoritiesVariable+"=1", "SSL_CERT_DIR="+nothing, "SSL_CERT_FILE="+nothing+"/none")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
