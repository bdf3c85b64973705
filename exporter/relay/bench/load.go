package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	loadCommand = "Live.CallbackBeforeSendGift"
	loadRooms   = "Live.CallbackAfterDestroyRoom"

	appID    = "1400000001"
	token    = "benchmark"
	bodySize = 1024
)

// result is what one turn came to.
type result struct {
	took      time.Duration
	latencies []time.Duration // sorted
}

func (r result) throughput() float64 { return float64(len(r.latencies)) / r.took.Seconds() }
func (r result) p50() float64        { return float64(r.latencies[len(r.latencies)/2]) }
func (r result) p99() float64        { return float64(r.latencies[len(r.latencies)*99/100]) }

// rooms numbers the rooms of all turns: each is destroyed once.
var rooms atomic.Uint64

// measure sends as many requests as get answered in a turn.
func measure(address, command string, connections int, turn time.Duration) (result, error) {
	var (
		sending sync.WaitGroup
		mu      sync.Mutex
		all     result
		failed  error
	)
	start := time.Now()
	for range connections {
		sending.Go(func() {
			latencies, err := send(address, command, start.Add(turn))
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, latencies...)
			failed = errors.Join(failed, err)
		})
	}
	sending.Wait()
	all.took = time.Since(start)
	slices.Sort(all.latencies)
	if len(all.latencies) < 100 && failed == nil {
		failed = fmt.Errorf("only %d answers", len(all.latencies))
	}
	return all, failed
}

// send sends requests on one connection, one after the other.
func send(address, command string, until time.Time) (latencies []time.Duration, _ error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(until.Add(10 * time.Second)); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	now := strconv.FormatInt(time.Now().Unix(), 10)
	sum := sha256.Sum256([]byte(token + now))
	head := fmt.Sprintf("POST /hook?SdkAppid=%s&CallbackCommand=%s&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI&RequestTime=%s&Sign=%s HTTP/1.1\r\n"+
		"Host: app.example\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		appID, command, now, hex.EncodeToString(sum[:]), bodySize)
	request := make([]byte, 0, len(head)+bodySize)
	for start := time.Now(); start.Before(until); start = time.Now() {
		request = append(append(request[:0], head...), body(command)...)
		if _, err := conn.Write(request); err != nil {
			return latencies, err
		}
		if err := readAnswer(reader); err != nil {
			return latencies, err
		}
		latencies = append(latencies, time.Since(start))
	}
	return latencies, nil
}

func body(command string) string {
	text := `{"CallbackCommand":"` + command + `","EventTime":1726000000123,"RoomId":"room_` + strconv.FormatUint(rooms.Add(1), 10) + `",` +
		`"EventType":"DestroyByUser","RoomInfo":{"Category":[1],"Owner_Account":"host"},` +
		`"Statistic":{"TotalViewers":42,"TotalGiftsSent":3,"TotalGiftCoins":500,"TotalUniqueGiftSenders":2,"TotalLikesReceived":99},"CustomInfo":"`
	return text + strings.Repeat("x", bodySize-len(text)-2) + `"}`
}

// readAnswer reads one answer, which must be 200 and say how long it is.
func readAnswer(reader *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")):
			return fmt.Errorf("answer %q", line)
		case len(line) == 2:
			if length < 0 {
				return errors.New("an answer without its length")
			}
			_, err := io.CopyN(io.Discard, reader, int64(length))
			return err
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
}
