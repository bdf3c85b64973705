//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// stalled is how long no answer at all may come.
const stalled = 5 * time.Second

// load sends requests over connections, the next one over each as soon as the one
// before is answered. It shares the machine with the server it measures, so it is
// one loop over epoll: two system calls a request. Used by one goroutine.
type load struct {
	requests *requests
	epoll    int
	conns    []conn
	events   []syscall.EpollEvent
	waiting  int // connections that wait for an answer
	last     time.Time

	answered uint64
	// answers are those since the caller emptied it last, in order.
	answers []answer
}

// answer is when a request was answered, and how long that took.
type answer struct {
	at   time.Time
	took time.Duration
}

type conn struct {
	fd     int
	sent   time.Time
	buffer [1024]byte
	filled int
}

// connect opens the connections and sends the first requests.
func connect(address string, connections int, requests *requests) (_ *load, err error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	l := &load{requests: requests, events: make([]syscall.EpollEvent, connections), last: time.Now()}
	if l.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	l.conns = make([]conn, 0, connections)
	for i := range connections {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("create socket: %w", err)
		}
		l.conns = append(l.conns, conn{fd: fd})
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
			return nil, fmt.Errorf("set up socket: %w", err)
		}
		if err := syscall.Connect(fd, &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			return nil, fmt.Errorf("watch socket: %w", err)
		}
	}
	for i := range l.conns {
		if err := l.send(&l.conns[i]); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// close closes the connections.
func (l *load) close() {
	for i := range l.conns {
		_ = syscall.Close(l.conns[i].fd)
	}
	_ = syscall.Close(l.epoll)
}

// keep keeps up the load as long as more says so.
func (l *load) keep(more func() bool) error {
	for more() {
		if err := l.step(true); err != nil {
			return err
		}
	}
	return nil
}

// keepFor keeps up the load for some time.
func (l *load) keepFor(d time.Duration) error {
	end := time.Now().Add(d)
	return l.keep(func() bool { return time.Now().Before(end) })
}

// drain awaits what is not answered yet.
func (l *load) drain() error {
	for l.waiting > 0 {
		if err := l.step(false); err != nil {
			return err
		}
	}
	return nil
}

// step takes the answers that are there, waiting for them no longer than the time
// a caller of keep can be late, and sends the next requests if goOn.
func (l *load) step(goOn bool) error {
	const atMost = 10 // milliseconds
	n, err := syscall.EpollWait(l.epoll, l.events, atMost)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("wait for answers: %w", err)
	}
	if n > 0 {
		l.last = time.Now()
	} else if time.Since(l.last) > stalled {
		return fmt.Errorf("no answer within %s", stalled)
	}
	for _, event := range l.events[:max(n, 0)] {
		c := &l.conns[event.Fd]
		done, err := l.receive(c)
		if err != nil {
			return err
		}
		if done && goOn {
			if err := l.send(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *load) send(c *conn) error {
	request := l.requests.next()
	c.sent, c.filled = time.Now(), 0
	l.waiting++
	n, err := syscall.Write(c.fd, request)
	if err == nil && n < len(request) {
		err = errors.New("socket buffer is full")
	}
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return nil
}

// receive reads what is there of an answer. done says that it is whole.
func (l *load) receive(c *conn) (done bool, _ error) {
	n, err := syscall.Read(c.fd, c.buffer[c.filled:])
	if err == nil && n == 0 {
		err = errors.New("the server closed the connection")
	}
	if err != nil {
		return false, fmt.Errorf("receive answer: %w", err)
	}
	c.filled += n
	size, err := answerSize(c.buffer[:c.filled])
	if size == 0 || err != nil {
		return false, err
	}
	now := time.Now()
	l.answers = append(l.answers, answer{now, now.Sub(c.sent)})
	l.answered++
	l.waiting--
	return true, nil
}
