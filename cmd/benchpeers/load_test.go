//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// Every request must be one that the exporter counts, and count as another room.
func TestEveryRequestIsAnotherRoom(t *testing.T) {
	t.Parallel()
	const connections, rooms = 4, 500
	var (
		mu   sync.Mutex
		seen = make(map[string]bool)
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err != nil {
			t.Error(err)
		}
		decoded, err := webhook.NewDecoder().Decode(body.Bytes())
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[decoded.Room.RoomID] {
			t.Errorf("%s came twice", decoded.Room.RoomID)
		}
		seen[decoded.Room.RoomID] = true
	}))
	defer server.Close()
	made := newRequests(fewCategories, time.Now())
	l, err := connect(server.Listener.Addr().String(), connections, made)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if err := l.keep(func() bool { return made.made < rooms }); err != nil {
		t.Fatal(err)
	}
	if err := l.drain(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if uint64(len(seen)) != made.made || l.answered != made.made || len(l.answers) != len(seen) {
		t.Errorf("%d rooms sent, %d answered, %d measured, %d arrived", made.made, l.answered, len(l.answers), len(seen))
	}
}

func TestRequestsReachAllSeries(t *testing.T) {
	t.Parallel()
	made := newRequests(manyCategories, time.Now())
	type series struct {
		destroyType any
		category    any
	}
	seen := make(map[series]bool)
	for range 3 * manyCategories {
		_, body, _ := bytes.Cut(made.next(), []byte("\r\n\r\n"))
		var room struct {
			EventType string
			RoomInfo  struct{ Category []int }
		}
		if err := json.Unmarshal(body, &room); err != nil {
			t.Fatal(err)
		}
		seen[series{room.EventType, room.RoomInfo.Category[0]}] = true
	}
	if len(seen) != 3*manyCategories {
		t.Errorf("%d series", len(seen))
	}
}

// A server that hangs up must end the run.
func TestLoadTellsOfAClosedConnection(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_ = conn.Close()
		}
	}()
	l, err := connect(listener.Addr().String(), 1, newRequests(1, time.Now()))
	if err != nil {
		return // it may show already here
	}
	defer l.close()
	if err := l.drain(); err == nil {
		t.Error("no error")
	}
}

func TestAnswerSize(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nDate: x\r\n\r\n{}"
	for name, c := range map[string]struct {
		received string
		size     int
		err      bool
	}{
		"whole":               {ok, len(ok), false},
		"with more behind":    {ok + "x", len(ok), false},
		"nothing":             {"", 0, false},
		"half a header":       {ok[:20], 0, false},
		"half a body":         {ok[:len(ok)-1], 0, false},
		"without content":     {"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n", 36, false},
		"without a length":    {"HTTP/1.1 200 OK\r\nDate: x\r\n\r\n", 0, true},
		"with a wrong length": {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 0, true},
		"no success":          {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 0, true},
	} {
		size, err := answerSize([]byte(c.received))
		if size != c.size || (err != nil) != c.err {
			t.Errorf("%s: got %d, %v", name, size, err)
		}
	}
}
