package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

// wireCase is a request and what the app makes of it. The exporter in between must
// not change either.
type wireCase struct {
	request string
	wirePlan
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\nDate: Tue, 02 Jan 2024 03:04:05 GMT\r\n\r\n" +
	`{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`

// asking returns a case whose request is of interest.
func asking(start, rest string) wireCase {
	return wireCase{start + " HTTP/1.1\r\nHost: app.example:81\r\n" + rest, wirePlan{answer: okAnswer}}
}

// answering returns one whose answer is.
func answering(answer string) wireCase {
	c := asking("POST /hook?"+giftQuery, "Content-Length: 2\r\n\r\n{}")
	c.answer = answer
	return c
}

const (
	giftCommand = "Live.CallbackBeforeSendGift"
	giftQuery   = "SdkAppid=" + appID + "&CallbackCommand=" + giftCommand
	roomQuery   = "SdkAppid=" + appID + "&CallbackCommand=Live.CallbackAfterDestroyRoom"
)

func wireCases() map[string]wireCase {
	room := destroyedBody("conformance")
	roomLength := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(room))
	big := strings.Repeat("0123456789abcde\n", 10<<20/16)
	head := func(c wireCase) wireCase {
		c.request = strings.Replace(c.request, "POST", "HEAD", 1)
		c.request = strings.Replace(c.request, "Content-Length: 2\r\n\r\n{}", "\r\n", 1)
		return c
	}
	hangingUp := func(c wireCase) wireCase {
		c.hangUp = true
		return c
	}
	early := func(c wireCase) wireCase {
		c.early = true
		return c
	}
	refusing := func(c wireCase) wireCase {
		c.answer = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig"
		return hangingUp(early(c))
	}
	interim := func(c wireCase, interim string) wireCase {
		c.interim = interim
		return c
	}
	return map[string]wireCase{
		"GET":                       asking("GET /", "\r\n"),
		"GET with a body":           asking("GET /", "Content-Length: 3\r\n\r\nabc"),
		"PUT":                       asking("PUT /a", "Content-Length: 3\r\n\r\nabc"),
		"PATCH":                     asking("PATCH /a", "Content-Length: 3\r\n\r\nabc"),
		"DELETE":                    asking("DELETE /a", "\r\n"),
		"DELETE with a body":        asking("DELETE /a", "Content-Length: 3\r\n\r\nabc"),
		"OPTIONS":                   asking("OPTIONS /a", "\r\n"),
		"OPTIONS *":                 asking("OPTIONS *", "\r\n"),
		"TRACE":                     asking("TRACE /a", "\r\n"),
		"odd method":                asking("M-SEARCH /a", "\r\n"),
		"lower-case method":         asking("post /a", "Content-Length: 3\r\n\r\nabc"),
		"POST without a body":       asking("POST /a", "Content-Length: 0\r\n\r\n"),
		"POST":                      asking("POST /a?"+giftQuery, "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
		"destroyed room":            asking("POST /a?"+roomQuery, roomLength+room),
		"destroyed room, broken":    asking("POST /a?"+roomQuery, "Content-Length: 3\r\n\r\n{\"\xff"),
		"destroyed room, chunked":   asking("POST /a?"+roomQuery, fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(room), room)),
		"destroyed room, trailers":  asking("POST /a?"+roomQuery, fmt.Sprintf("Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-Sum: 5\r\n\r\n", len(room), room)),
		"destroyed room, 100":       interim(asking("POST /a?"+roomQuery, "Expect: 100-continue\r\n"+roomLength+room), "HTTP/1.1 100 Continue\r\n\r\n"),
		"destroyed room, 10 MiB":    asking("POST /a?"+roomQuery, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(big), big)),
		"destroyed room, GET":       asking("GET /a?"+roomQuery, "\r\n"),
		"chunked":                   asking("POST /a", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
		"chunked and empty":         asking("POST /a", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		"request trailers":          asking("POST /a", "Trailer: X-Sum, X-More\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 5\r\nX-More: m\r\n\r\n"),
		"unannounced trailers":      asking("POST /a", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 5\r\n\r\n"),
		"10 MiB":                    asking("POST /a", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(big), big)),
		"10 MiB chunked":            asking("POST /a", fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(big), big)),
		"100-continue":              interim(asking("POST /a", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"), "HTTP/1.1 100 Continue\r\n\r\n"),
		"absolute form":             asking("GET http://app.example:81/a%2fb?c", "\r\n"),
		"two slashes":               asking("GET //path//a", "\r\n"),
		"escaped dots":              asking("GET /%2F..%2f/../%41", "\r\n"),
		"odd characters":            asking("GET /a|b\"<>^`{}'()*;:@&=+$,~\xe6\x88\xbf", "\r\n"),
		"empty query":               asking("GET /a?", "\r\n"),
		"odd query":                 asking("GET /?a=1;b=2&&A=%zz&a=3?&=", "\r\n"),
		"repeated keys":             asking("GET /?b=1&SDKAPPID=2&a=3&b=4&sdkappid=5&%62=6", "\r\n"),
		"empty header values":       asking("GET /", "X-Empty:\r\nX-Blank:   \r\n\r\n"),
		"repeated headers":          asking("GET /", "X-Same: 2\r\nX-Other: 1\r\nx-same: 1\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n"),
		"large headers":             asking("GET /"+strings.Repeat("p", 4000), "X-Large: "+strings.Repeat("x", 40000)+"\r\n\r\n"),
		"forwarding headers":        asking("GET /", "Forwarded: for=1.2.3.4\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: https\r\nX-Real-Ip: 1.2.3.4\r\nVia: 1.1 a\r\n\r\n"),
		"agent and encodings":       asking("GET /", "User-Agent: sender/1.0\r\nAccept-Encoding: br\r\nAuthorization: Basic YTpi\r\n\r\n"),
		"hop-by-hop":                asking("GET /", "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\n"),
		"HTTP/1.0":                  {"GET /a HTTP/1.0\r\nHost: app.example:81\r\n\r\n", wirePlan{answer: okAnswer}},
		"103":                       interim(answering(okAnswer), "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"),
		"204":                       answering("HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"),
		"301":                       answering("HTTP/1.1 301 Moved Permanently\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
		"304":                       answering("HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\nContent-Type: text/css\r\nContent-Length: 77\r\n\r\n"),
		"404":                       answering("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"),
		"418":                       answering("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n"),
		"500":                       answering("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"),
		"503 with Retry-After":      answering("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
		"599":                       answering("HTTP/1.1 599 Whatever\r\nContent-Length: 1\r\n\r\nx"),
		"no Content-Type, no Date":  answering("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>no</html>"),
		"gzip":                      answering("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"),
		"empty":                     answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
		"chunked answer":            answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
		"answer with trailers":      answering("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 5\r\n\r\n"),
		"with unannounced trailers": answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 5\r\n\r\n"),
		"answer of 10 MiB":          answering(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(big), big)),
		"until the end":             hangingUp(answering("HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nall of it")),
		"answer, close":             hangingUp(answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")),
		"cookies":                   answering("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nset-cookie: a=1\r\nContent-Length: 0\r\n\r\n"),
		"large answer headers":      answering("HTTP/1.1 200 OK\r\nX-Large: " + strings.Repeat("x", 100_000) + "\r\nContent-Length: 0\r\n\r\n"),
		"answer with empty values":  answering("HTTP/1.1 200 OK\r\nX-Empty:\r\nServer: app\r\nContent-Length: 0\r\n\r\n"),
		"HEAD":                      head(answering("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Type: a/b\r\n\r\n")),
		"HEAD without a length":     head(answering("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n")),
		"no 100 but an answer":      refusing(asking("POST /a", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")),
		"early answer":              early(asking("POST /a", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(big), big))),
		"early answer, small":       early(asking("POST /a", "Content-Length: 3\r\n\r\nabc")),
	}
}

// TestRelayConformance compares the request that arrives and the answer that comes
// back with those of the same call made without the exporter.
func TestRelayConformance(t *testing.T) {
	t.Parallel()
	app := newWireApp(t)
	e := startRelay(t, "http://"+app.address, "unverified: forward")
	for name, test := range wireCases() {
		t.Run(name, func(t *testing.T) {
			app.set(test.wirePlan)
			wantAnswer, wantRequest := call(t, app.address, test.request), message{}
			if !test.early {
				wantRequest = app.next()
			}
			answer, request := call(t, e.address(), test.request), message{}
			if !test.early {
				request = app.next()
			}
			same(t, "the request", request, wantRequest)
			same(t, "the answer", answer, wantAnswer)
		})
	}
	t.Run("100-continue, many times", func(t *testing.T) { // one 100, whoever is first to say it
		test := wireCases()["100-continue"]
		app.set(test.wirePlan)
		want := call(t, app.address, test.request)
		app.next()
		for range 200 {
			same(t, "the answer", call(t, e.address(), test.request), want)
			app.next()
		}
	})
	t.Run("upgrade", func(t *testing.T) {
		app.set(wirePlan{answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-Websocket-Accept: x\r\n\r\n"})
		direct, wantRequest := app.socket(t, app.address), app.next()
		relayed, request := app.socket(t, e.address()), app.next()
		same(t, "the request", request, wantRequest)
		same(t, "the answer", relayed, direct)
	})
	e.noComplaints()
}

func same(t *testing.T, what string, got, want message) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		got.Body, want.Body = last(got.Body)[:min(len(got.Body), 100)], last(want.Body)[:min(len(want.Body), 100)]
		t.Errorf("%s:\n got %.2000q\nwant %.2000q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// socket switches protocols and sends some words, one after the echo of the other.
func (a *wireApp) socket(t *testing.T, address string) message {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-Websocket-Key: x\r\n\r\n")
	reader := bufio.NewReader(conn)
	m, err := readMessage(reader, "GET")
	for _, word := range []string{"one", "two", "\x00\xff"} {
		if err == nil {
			_, err = io.WriteString(conn, word)
		}
		echo := make([]byte, len(word))
		if err == nil {
			_, err = io.ReadFull(reader, echo)
		}
		if string(echo) != word {
			t.Fatalf("%q came back as %q: %v", word, echo, err)
		}
	}
	return m
}
