package webhook_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

func BenchmarkDecode(b *testing.B) {
	samples := sampleFiles(b)
	for name := range sampleRooms() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(samples[name])))
			decoder := webhook.NewDecoder()
			for b.Loop() {
				if _, err := decoder.Decode(samples[name]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// silent counts nothing, so that only the handler is measured.
type silent struct{}

func (silent) Record(*room.Destroyed) bool        { return false }
func (silent) Received(string)                    {}
func (silent) Rejected(webhook.Reason)            {}
func (silent) Ignored(string)                     {}
func (silent) InvalidField(string)                {}
func (silent) Duplicate()                         {}
func (silent) Counted(*room.Destroyed, time.Time) {}
func (silent) Handled(time.Duration)              {}

// response is an http.ResponseWriter that keeps the status alone.
type response struct {
	header http.Header
	status int
}

func (r *response) Header() http.Header    { return r.header }
func (r *response) WriteHeader(status int) { r.status = status }

func (r *response) Write(p []byte) (int, error) { return r.WriteString(string(p)) }

// WriteString implements io.StringWriter, as net/http's own does.
func (r *response) WriteString(s string) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return len(s), nil
}

func BenchmarkHandler(b *testing.B) {
	logger := slog.New(slog.DiscardHandler)
	handler := webhook.New(webhook.Options{
		Path:         "/",
		MaxBodyBytes: 1 << 20,
		Apps:         []webhook.App{{SDKAppID: appID}, {SDKAppID: "1400000002", Tokens: []string{currentToken, formerToken}}},
		Recorder:     silent{},
		Observer:     silent{},
		Rejections:   webhook.NewRejectionLog(logger),
		Logger:       logger,
	})
	body := sampleFiles(b)["destroy-by-user.json"]
	for name, c := range map[string]struct {
		query  string
		status int
	}{
		"counted":  {destroyQuery, http.StatusOK},
		"ignored":  {"SdkAppid=" + appID + "&CallbackCommand=Live.CallbackBeforeSendGift", http.StatusOK},
		"rejected": {"SdkAppid=1400000002&CallbackCommand=" + webhook.CommandDestroyRoom + "&RequestTime=1&Sign=" + sign("unknown", "1"), http.StatusForbidden},
		"stale":    {"SdkAppid=1400000002&CallbackCommand=" + webhook.CommandDestroyRoom + "&RequestTime=1&Sign=" + sign(formerToken, "1"), http.StatusForbidden},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			request, err := http.NewRequest(http.MethodPost, "/?"+c.query, nil)
			if err != nil {
				b.Fatal(err)
			}
			reader := bytes.NewReader(body)
			request.Body, request.ContentLength = io.NopCloser(reader), int64(len(body))
			writer := &response{header: make(http.Header)}
			for b.Loop() {
				reader.Reset(body)
				writer.status = 0
				handler.ServeHTTP(writer, request)
				if writer.status != c.status {
					b.Fatalf("status is %d", writer.status)
				}
			}
		})
	}
}
