package relay

import "syscall"

// hungUp reports whether the app has closed an idle connection: http.Transport hears
// of it as well, but a moment later, when a request may be on its way already.
func (c *connection) hungUp() (hungUp bool) {
	if c.raw == nil {
		return false
	}
	var b [1]byte
	err := c.raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		// Whatever there is to read on an idle connection, it is no answer.
		hungUp = err != syscall.EAGAIN && err != syscall.EINTR
	})
	return hungUp || err != nil
}
