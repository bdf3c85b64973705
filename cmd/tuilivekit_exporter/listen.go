package main

import (
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// listen opens the listener, or takes the one that systemd opened.
func (l *listenFlags) listen() (net.Listener, error) {
	if !l.systemdSocket {
		return net.Listen("tcp", l.address)
	}
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take the socket from systemd: %w", err)
	}
	if len(listeners) != 1 || listeners[0] == nil {
		return nil, fmt.Errorf("take the socket from systemd: it passed %d, not one stream socket", len(listeners))
	}
	return listeners[0], nil
}

// listenAddresses are those of the listeners, as far as the command line tells.
func (f *flags) listenAddresses() []string {
	if f.webhook.systemdSocket {
		return []string{f.web.address}
	}
	return []string{f.webhook.address, f.web.address}
}
