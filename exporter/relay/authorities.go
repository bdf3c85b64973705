package relay

import (
	"crypto/tls"
	"crypto/x509"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// withAuthorities returns config, or on a system (or an image) without certificate
// authorities of its own one that trusts those that the binary brings.
func withAuthorities(config *tls.Config) *tls.Config {
	if config != nil && config.RootCAs != nil {
		return config
	}
	if system, err := x509.SystemCertPool(); err == nil && !system.Equal(x509.NewCertPool()) {
		return config
	}
	trusting := &tls.Config{}
	if config != nil {
		trusting = config.Clone()
	}
	trusting.RootCAs = bundledAuthorities()
	return trusting
}

// bundledAuthorities parses them anew each time: they take a megabyte and more, which
// those who relay to no such app need not keep.
func bundledAuthorities() *x509.CertPool {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil: // a later Go may refuse one that an earlier took
		case root.Constraint == nil:
			pool.AddCert(certificate)
		default:
			pool.AddCertWithConstraint(certificate, root.Constraint)
		}
	}
	return pool
}
