//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// answerSize returns how many bytes the HTTP answer at the beginning of b takes, 0
// if it is not there yet. Any other answer than a success is an error.
func answerSize(b []byte) (int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	header := b[:end+2]
	if !bytes.HasPrefix(header, []byte("HTTP/1.1 20")) {
		return 0, fmt.Errorf("answer is %q", b)
	}
	const name = "\r\nContent-Length: "
	body := 0
	if at := bytes.Index(header, []byte(name)); at >= 0 {
		digits, _, _ := bytes.Cut(header[at+len(name):], []byte("\r\n"))
		var err error
		if body, err = strconv.Atoi(string(digits)); err != nil {
			return 0, fmt.Errorf("answer is %q", b)
		}
	} else if !bytes.HasPrefix(header, []byte("HTTP/1.1 204")) {
		return 0, fmt.Errorf("answer has no length: %q", b)
	}
	if size := end + 4 + body; size <= len(b) {
		return size, nil
	}
	return 0, nil
}
