package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second
	// maxAnswerBytes bounds what is read of an answer; a valid one has less than a hundred bytes.
	maxAnswerBytes = 1 << 16

	okAnswer = `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`
)

// The ways a try can end without an answer. With errorUnreachable not a byte of the body was sent, so the receiver
// can't have counted the room; with any other it may have.
const (
	errorTimeout     = "timeout"
	errorReset       = "reset"
	errorUnreachable = "unreachable"
	errorOther       = "other"
)

// outcome sums up the tries of one delivery, or of all deliveries of one webhook.
type outcome struct {
	acknowledged bool
	// answered: some try got an answer, though perhaps not OK.
	answered bool
	// silent: some try got no answer after the receiver may have seen the request.
	silent bool
}

func (o outcome) merge(other outcome) outcome {
	return outcome{o.acknowledged || other.acknowledged, o.answered || other.answered, o.silent || other.silent}
}

// sender delivers webhooks the way the real one does: signed at each try, within a deadline, and again when not
// acknowledged. Its methods may be called from any goroutine.
type sender struct {
	transport http.RoundTripper
	url       *url.URL
	token     string
	timeout   time.Duration
	retries   int
	header    http.Header
	collector *collector
}

func newSender(opts *options, transport http.RoundTripper, c *collector) *sender {
	return &sender{
		transport: transport,
		url:       opts.url,
		token:     opts.token,
		timeout:   opts.timeout,
		retries:   opts.retries,
		header:    http.Header{"Content-Type": {"application/json"}, "User-Agent": {"roomsim"}},
		collector: c,
	}
}

// deliver sends a webhook until it is acknowledged, refused for good, or the retries are used up. It is not
// interrupted from outside: it ends by itself within the deadlines and backoffs of its tries.
func (s *sender) deliver(hook *webhook) outcome {
	var sum outcome
	for try := 0; ; try++ {
		result := s.try(hook)
		s.collector.tried(result)
		sum = sum.merge(result.outcome())
		if sum.acknowledged || try >= s.retries || !result.retryable() {
			return sum
		}
		time.Sleep(backoff(try))
		s.collector.retried()
	}
}

func backoff(try int) time.Duration {
	return min(firstBackoff<<min(try, 10), maxBackoff)
}

// result is how one try ended.
type result struct {
	status  int // 0: no answer
	ok      bool
	partial bool // ok, but without all three mandatory fields
	latency time.Duration
	failure string // errorTimeout and so on, if status is 0
	err     error
}

func (r result) outcome() outcome {
	return outcome{acknowledged: r.ok, answered: r.status != 0, silent: r.status == 0 && r.failure != errorUnreachable}
}

// retryable: all but a client error, which another try would only repeat.
func (r result) retryable() bool {
	return r.status < 400 || r.status >= 500 || r.status == http.StatusRequestTimeout || r.status == http.StatusTooManyRequests
}

// body is a request body that tells whether any of it was taken to be sent.
type body struct {
	reader *bytes.Reader
	begun  *atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	b.begun.Store(true)
	return b.reader.Read(p)
}

func (b *body) Close() error { return nil }

func (s *sender) try(hook *webhook) result {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	start := time.Now()
	var begun atomic.Bool
	newBody := func() io.ReadCloser { return &body{reader: bytes.NewReader(hook.body), begun: &begun} }
	target := *s.url
	target.RawQuery = hook.query(s.token, start)
	request := (&http.Request{
		Method:        http.MethodPost,
		URL:           &target,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Host:          target.Host,
		Header:        s.header,
		Body:          newBody(),
		ContentLength: int64(len(hook.body)),
		// With it, a kept connection found closed before anything was written is replaced without a failed try.
		GetBody: func() (io.ReadCloser, error) { return newBody(), nil },
	}).WithContext(ctx)

	response, err := s.transport.RoundTrip(request)
	if err != nil {
		if !begun.Load() {
			return result{failure: errorUnreachable, err: err}
		}
		return result{failure: classify(err), err: err}
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	response.Body.Close()
	if err != nil {
		return result{failure: classify(err), err: fmt.Errorf("read answer: %w", err)}
	}
	r := result{status: response.StatusCode, latency: time.Since(start)}
	if r.status == http.StatusOK {
		r.ok, r.partial = readAnswer(answer)
	}
	return r
}

// readAnswer says whether an answer is JSON with ActionStatus OK, and whether a mandatory field is missing in it.
func readAnswer(answer []byte) (ok, partial bool) {
	if string(answer) == okAnswer {
		return true, false
	}
	var fields struct {
		ActionStatus string
		ErrorInfo    *string
		ErrorCode    *int
	}
	if json.Unmarshal(answer, &fields) != nil || fields.ActionStatus != "OK" {
		return false, false
	}
	return true, fields.ErrorInfo == nil || fields.ErrorCode == nil
}

// classify names why a request that went out has no answer.
func classify(err error) string {
	var netErr net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return errorTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errorReset
	default:
		return errorOther
	}
}
