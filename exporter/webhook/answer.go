package webhook

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// The sender takes an answer for valid only when it is HTTP 200 with a JSON body
// of these three fields; all our answers have them.
type answer struct {
	ActionStatus string
	ErrorInfo    string
	ErrorCode    int
}

const contentType = "application/json"

const acknowledgement = `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`

// acknowledge answers 200 OK.
func acknowledge(w http.ResponseWriter) {
	w.Header()["Content-Type"] = []string{contentType}
	// An error means that the sender is gone: nobody is left to tell.
	_, _ = io.WriteString(w, acknowledgement) // net/http says how long it is
}

// fail answers FAIL with an HTTP status, which is the ErrorCode too, and says
// what was wrong. Bytes of info that are no UTF-8 are replaced.
func fail(w http.ResponseWriter, status int, info string) {
	body, err := json.Marshal(answer{"FAIL", info, status})
	if err != nil { // three plain fields: can't be
		panic(err)
	}
	header := w.Header()
	header["Content-Type"] = []string{contentType}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // as above
}
