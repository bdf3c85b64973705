//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// runOf names a kind of run.
type runOf struct {
	peer        string
	connections int
}

// runs are the results of each round, by kind.
type runs map[runOf][]result

// result is what one run showed.
type result struct {
	rate          float64 // requests a second
	p50, p99      time.Duration
	cpu           float64 // seconds of the server's CPU time, a million requests
	generator     float64 // the load's own CPU time, as a share of one core
	peak          int64   // bytes of resident memory
	sent, counted uint64  // rooms; the bare handler counts none
}

// fewCategories is what most apps have.
const fewCategories = 4

// measureRun measures a server that is started for it.
func (o *options) measureRun(ctx context.Context, p *peer, connections int) (r result, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	s, err := p.start(fewCategories)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	l, err := connect(s.webhook, connections, s.requests)
	if err != nil {
		return r, err
	}
	defer l.close()
	if err := l.keepFor(o.warmUp); err != nil {
		return r, err
	}
	if err := s.measure(l, o.measure, &r); err != nil {
		return r, err
	}
	if err := l.drain(); err != nil {
		return r, err
	}
	r.sent = s.requests.made
	if p.counted != nil {
		r.counted, err = p.awaitCounted(s, r.sent)
	}
	return r, err
}

// measure keeps up the load for some time and tells how it went.
func (s *server) measure(l *load, d time.Duration, r *result) error {
	l.answers = l.answers[:0]
	begin := time.Now()
	before, err := s.cpu()
	ownBefore, err2 := ownCPU()
	if err := errors.Join(err, err2, l.keepFor(d)); err != nil {
		return err
	}
	took := time.Since(begin)
	after, err := s.cpu()
	ownAfter, err2 := ownCPU()
	peak, err3 := s.memory(residentPeak)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	latencies := make(durations, 0, len(l.answers))
	for _, a := range l.answers {
		latencies = append(latencies, a.took)
	}
	r.rate = float64(len(l.answers)) / took.Seconds()
	r.p50, r.p99 = latencies.quantile(0.5), latencies.quantile(0.99)
	r.cpu = (after - before).Seconds() / float64(len(l.answers)) * 1e6
	r.generator = (ownAfter - ownBefore).Seconds() / took.Seconds()
	r.peak = peak
	return nil
}

// started is what the start of a server showed.
type started struct {
	startUp time.Duration // to the first answer
	idle    int64         // bytes of resident memory, a second later
	size    int64         // bytes of the binary
}

// measureStarts starts every server some times.
func measureStarts(ctx context.Context, peers []*peer) ([numPeers][]started, error) {
	const starts = 3
	var all [numPeers][]started
	for range starts {
		for i, p := range peers {
			if err := ctx.Err(); err != nil {
				return all, err
			}
			one, err := p.measureStart()
			if err != nil {
				return all, err
			}
			all[i] = append(all[i], one)
		}
	}
	return all, nil
}

func (p *peer) measureStart() (one started, err error) {
	binary, err := os.Stat(p.binary)
	if err != nil {
		return one, err
	}
	s, err := p.start(fewCategories)
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	time.Sleep(time.Second)
	idle, err := s.memory(residentNow)
	return started{startUp: s.startUp, idle: idle, size: binary.Size()}, err
}

// measureFlushes writes some rooms' worth of bytes at a time to a file in dir and
// flushes each, as the journal does, and returns how long that took.
func measureFlushes(dir string) (took durations, err error) {
	const (
		flushes = 50
		size    = 4 << 20
	)
	file, err := os.OpenFile(filepath.Join(dir, "flushes"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(make([]byte, size)); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	commit := make([]byte, 1<<10)
	for i := range flushes {
		begin := time.Now()
		_, err := file.WriteAt(commit, int64(i*len(commit)))
		if err := errors.Join(err, syscall.Fsync(int(file.Fd()))); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}
