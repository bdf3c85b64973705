package relay

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// IsOneOf reports whether an http or https URL leads to one of the listen
// addresses (host:port, the host may be empty) of this machine, as far as that
// can be known without asking the network: by loopback and interface addresses.
func IsOneOf(target *url.URL, listenAddresses []string) bool {
	port := target.Port()
	switch {
	case target.Scheme == "unix":
		return false
	case port == "" && target.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	for _, address := range listenAddresses {
		host, listenPort, err := net.SplitHostPort(address)
		if err == nil && samePort(listenPort, port) && listensOn(host, target.Hostname()) {
			return true
		}
	}
	return false
}

// samePort compares ports that may be names, such as http.
func samePort(a, b string) bool {
	first, err := net.LookupPort("tcp", a)
	if err != nil {
		return false
	}
	second, err := net.LookupPort("tcp", b)
	return err == nil && first == second && first != 0
}

// listensOn reports whether a listener on host takes connections to target.
func listensOn(host, target string) bool {
	if strings.EqualFold(host, target) {
		return true
	}
	on, onErr := netip.ParseAddr(host)
	on = on.Unmap()
	if isLocalhost(host) {
		on, onErr = netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil // what Go listens on
	}
	if host != "" && onErr != nil {
		return false // a name: it may be any address
	}
	var to []netip.Addr
	if address, err := netip.ParseAddr(target); err == nil {
		to = append(to, address.Unmap())
	} else if isLocalhost(target) {
		to = append(to, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	}
	for _, to := range to { // none: a name may lead anywhere
		if to.IsUnspecified() { // connections to it go to the loopback
			to = map[bool]netip.Addr{true: netip.AddrFrom4([4]byte{127, 0, 0, 1}), false: netip.IPv6Loopback()}[to.Is4()]
		}
		switch {
		case host == "" || on == netip.IPv6Unspecified(): // both families
			if isLocal(to) {
				return true
			}
		case on.IsUnspecified():
			if to.Is4() && isLocal(to) {
				return true
			}
		case on == to:
			return true
		}
	}
	return false
}

func isLocalhost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// isLocal reports whether an address is one of this machine's.
func isLocal(address netip.Addr) bool {
	if address.IsLoopback() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == address.WithZone("") {
			return true
		}
	}
	return false
}
