//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The peers, in the order in which they are measured.
const (
	bare = iota
	memory
	journal
	telegraf
	numPeers
)

// peer is a server that is measured.
type peer struct {
	name   string
	binary string
	// arguments returns those that let it listen at these addresses, and use an
	// empty directory.
	arguments func(webhook, scrape, dir string) ([]string, error)
	// counted returns the rooms that a scrape tells of; nil: it counts none.
	counted func(exposition string) (uint64, error)

	dir string // for the directories
}

func newPeers(dir string, o *options) ([]*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	exporterConfig := filepath.Join(dir, "exporter.yml")
	err = os.WriteFile(exporterConfig, []byte(`
apps:
  - sdk_app_id: `+sdkAppID+`
    token_files: [exporter.token]
categories:
  limit: 1000
`), 0o600)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "exporter.token"), []byte(token), 0o600); err != nil {
		return nil, err
	}
	exporter := func(webhook, scrape, storage string) []string {
		return []string{"--config.file=" + exporterConfig, "--log.level=warn", "--storage.path=" + storage,
			"--webhook.listen-address=" + webhook, "--web.listen-address=" + scrape}
	}
	countedByExporter := func(exposition string) (uint64, error) {
		return sumOf(exposition, "tuilivekit_rooms_destroyed_total{", "")
	}
	return []*peer{
		bare: {name: "bare handler", binary: self, dir: dir,
			arguments: func(webhook, _, _ string) ([]string, error) { return []string{"--serve-bare=" + webhook}, nil }},
		memory: {name: "exporter, in memory", binary: o.exporter, dir: dir, counted: countedByExporter,
			arguments: func(webhook, scrape, _ string) ([]string, error) { return exporter(webhook, scrape, ""), nil }},
		journal: {name: "exporter, journal on", binary: o.exporter, dir: dir, counted: countedByExporter,
			arguments: func(webhook, scrape, dir string) ([]string, error) { return exporter(webhook, scrape, dir), nil }},
		telegraf: {name: "Telegraf", binary: o.telegraf, dir: dir,
			arguments: func(webhook, scrape, dir string) ([]string, error) {
				path := filepath.Join(dir, "telegraf.conf")
				return []string{"--config", path}, os.WriteFile(path, []byte(telegrafConfig(webhook, scrape)), 0o600)
			},
			counted: func(exposition string) (uint64, error) {
				return sumOf(exposition, "tuilivekit_room_viewers_bucket{", `le="+Inf"`)
			}},
	}, nil
}

// server is a peer that runs.
type server struct {
	*process
	webhook, scrape string // addresses
	requests        *requests
	startUp         time.Duration // to the first answer
}

// start starts a server that has counted nothing before, and returns when it has
// answered its first request.
func (p *peer) start(categories int) (*server, error) {
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(p.dir, "server-")
	if err != nil {
		return nil, err
	}
	s := &server{webhook: addresses[0], scrape: addresses[1], requests: newRequests(categories, time.Now())}
	arguments, err := p.arguments(s.webhook, s.scrape, dir)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if s.process, err = startProcess(p.binary, arguments...); err != nil {
		return nil, err
	}
	if err := s.awaitAnswer(s.webhook, s.requests); err != nil {
		_ = s.stop()
		return nil, err
	}
	s.startUp = time.Since(begin)
	return s, nil
}

// freeAddresses returns addresses on which nothing listens.
func freeAddresses(n int) (addresses []string, _ error) {
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free address: %w", err)
		}
		defer listener.Close() // not before the others are found
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
