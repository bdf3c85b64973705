package exporter_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
)

// discard is an http.ResponseWriter that keeps the status alone.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header    { return d.header }
func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) Write(p []byte) (int, error) { return d.WriteString(string(p)) }

// WriteString implements io.StringWriter, as net/http's own does.
func (d *discard) WriteString(s string) (int, error) {
	if d.status == 0 {
		d.status = http.StatusOK
	}
	return len(s), nil
}

// BenchmarkWebhook counts signed rooms in memory: all that the exporter does to a
// request, without the server around it.
func BenchmarkWebhook(b *testing.B) {
	const token = "benchmark"
	dir := b.TempDir()
	for name, content := range map[string]string{
		"token":        token,
		"exporter.yml": "apps: [{sdk_app_id: " + appID + ", token_files: [token]}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "exporter.yml"))
	if err != nil {
		b.Fatal(err)
	}
	e, err := exporter.New(cfg, exporter.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	body, err := os.ReadFile("webhook/testdata/samples/destroy-by-user.json")
	if err != nil {
		b.Fatal(err)
	}
	roomID := bytes.Index(body, []byte("tandy-test-rest")) // 15 bytes, made another room's each time
	if roomID < 0 {
		b.Fatal("the sample has no such RoomId")
	}
	requestTime := strconv.FormatInt(time.Now().Unix(), 10)
	sign := sha256.Sum256([]byte(token + requestTime))
	reader := bytes.NewReader(body)
	request := &http.Request{
		Method:        http.MethodPost,
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(reader),
		Header:        make(http.Header),
		URL: &url.URL{Path: "/", RawQuery: "SdkAppid=" + appID + "&CallbackCommand=Live.CallbackAfterDestroyRoom&contenttype=json" +
			"&ClientIP=127.0.0.1&OptPlatform=RESTAPI&RequestTime=" + requestTime + "&Sign=" + hex.EncodeToString(sign[:])},
	}
	handler, writer := e.Webhook(), &discard{header: make(http.Header)}
	b.ReportAllocs()
	for n := int64(1e14); b.Loop(); n++ { // of 15 digits
		_ = strconv.AppendInt(body[:roomID], n, 10)
		reader.Reset(body)
		writer.status = 0
		handler.ServeHTTP(writer, request)
		if writer.status != http.StatusOK {
			b.Fatalf("status is %d", writer.status)
		}
	}
}
