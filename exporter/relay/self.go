package relay

import (
	"net"
	"net/netip"
	"net/url"
)

// IsOneOf reports whether an http or https URL leads to one of the listen
// addresses (host:port, the host may be empty) of this machine, as far as that
// can be known without asking the network: by loopback and interface addresses.
func IsOneOf(target *url.URL, listenAddresses []string) bool {
	if target.Scheme == "unix" {
		return false
	}
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	for _, address := range listenAddresses {
		host, listenPort, err := net.SplitHostPort(address)
		if err == nil && listenPort == port && listensOn(host, target.Hostname()) {
			return true
		}
	}
	return false
}

// listensOn reports whether a listener on host takes connections to target.
func listensOn(host, target string) bool {
	if host == target {
		return true
	}
	if target == "localhost" {
		target = "127.0.0.1"
	}
	to, err := netip.ParseAddr(target)
	if err != nil {
		return false // a name: it may lead anywhere
	}
	if on, err := netip.ParseAddr(host); err == nil && !on.IsUnspecified() {
		return on.Unmap() == to.Unmap()
	}
	return host == "localhost" && to.IsLoopback() || host != "localhost" && isLocal(to)
}

// isLocal reports whether an address is one of this machine's.
func isLocal(address netip.Addr) bool {
	if address.IsLoopback() || address.IsUnspecified() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == address.Unmap() {
			return true
		}
	}
	return false
}
