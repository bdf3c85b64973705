//go:build linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// scrape reads the metrics of a server as Prometheus does, or as text.
func scrape(address string, asText bool) (string, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return "", err
	}
	if !asText {
		request.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
		request.Header.Set("Accept-Encoding", "gzip")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("scrape is answered with %s", response.Status)
	}
	return string(body), err
}

// sumOf adds up the samples of a text exposition whose lines begin with prefix and
// contain a label.
func sumOf(exposition, prefix, label string) (sum uint64, _ error) {
	for line := range strings.Lines(exposition) {
		if !strings.HasPrefix(line, prefix) || !strings.Contains(line, label) {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, '}')+1:]), 64)
		if err != nil {
			return 0, fmt.Errorf("read sample %q: %w", line, err)
		}
		sum += uint64(value)
	}
	return sum, nil
}

// awaitCounted returns the rooms that a server counted: as many as were sent, or
// what it says when it no longer changes.
func (p *peer) awaitCounted(s *server, sent uint64) (counted uint64, _ error) {
	const settled = 7 * time.Second // longer than Telegraf takes to show anything
	for changed := time.Now(); counted != sent && time.Since(changed) < settled; time.Sleep(100 * time.Millisecond) {
		exposition, err := scrape(s.scrape, true)
		if err != nil {
			return 0, err
		}
		now, err := p.counted(exposition)
		if err != nil {
			return 0, err
		}
		if now != counted {
			counted, changed = now, time.Now()
		}
	}
	return counted, nil
}
