package config

import (
	commonconfig "github.com/prometheus/common/config"
)

// readRelayTLS makes a relay's TLSConfig, if there is anything to make it of. Paths in the file are relative to its folder.
func readRelayTLS(r *Relay, folder string, p *problems) {
	if r.TLS == (RelayTLS{}) {
		return
	}
	files := commonconfig.TLSConfig{
		CAFile:     r.TLS.CAFile,
		CertFile:   r.TLS.CertFile,
		KeyFile:    r.TLS.KeyFile,
		ServerName: r.TLS.ServerName,
	}
	files.SetDirectory(folder)
	var err error
	if r.TLSConfig, err = commonconfig.NewTLSConfig(&files); err != nil {
		p.add("relay.tls_config", "%v", err)
	}
}
