//go:build !linux

package relay

// hungUp is for Linux, elsewhere it is left to http.Transport to find out.
func (c *connection) hungUp() bool { return false }
