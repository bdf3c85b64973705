package main_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// startNginx starts an nginx with one server of some configuration, for files in its root.
func startNginx(t *testing.T, config string, files map[string]string) (address string) {
	t.Helper()
	dir, address := t.TempDir(), fixedAddress(t)
	for name, content := range files {
		writeFile(t, dir, name, content)
	}
	text := `daemon off; master_process off; pid $DIR/nginx.pid; error_log stderr warn; events { worker_connections 512; }
http {
  access_log off; client_max_body_size 0; root $DIR; default_type text/plain;
  client_body_temp_path $DIR/body; proxy_temp_path $DIR/proxy; fastcgi_temp_path $DIR/fastcgi;
  uwsgi_temp_path $DIR/uwsgi; scgi_temp_path $DIR/scgi;
  server { listen ` + address + `; ` + config + "} }\n"
	file := writeFile(t, dir, "nginx.conf", strings.ReplaceAll(text, "$DIR", dir))
	p := start(t, nginxBinary(t), "-p", dir, "-e", "stderr", "-c", file)
	eventually(t, "nginx to listen", func() bool {
		if !p.running() {
			t.Fatal("nginx did not start")
		}
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address
}

func nginxBinary(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("nginx is not installed: run `make nginx`")
	return ""
}

// TestRelayNginx compares calls through the exporter with those without it for an app
// served by nginx.
func TestRelayNginx(t *testing.T) {
	t.Parallel()
	address := startNginx(t, `
    gzip on; gzip_types *; gzip_min_length 10;
    location /echo { return 200 "$request_method|$request_uri|$http_host|$http_x_header|$http_cookie|$content_length\n"; }
    location /status/301 { return 301 /elsewhere; }
    location /status/418 { return 418 "teapot"; }
    location /status/444 { return 444; }
    location /status/500 { return 500; }
    location /status/204 { return 204; }
    location /cookies { add_header Set-Cookie a=1; add_header Set-Cookie b=2; return 200 ""; }
    location /small { client_max_body_size 10; }
    location /limited { limit_except GET { deny all; } }
`, map[string]string{
		"page.html": "<html>" + strings.Repeat("page ", 1000) + "</html>",
		"big":       strings.Repeat("0123456789abcdef", 10<<20/16),
		"none":      "",
	})
	e := startRelay(t, "http://"+address, "unverified: forward")
	get := func(target string, header ...string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: app.example\r\n" + strings.Join(append(header, ""), "\r\n") + "\r\n"
	}
	etag := ""
	for _, line := range call(t, address, get("/page.html")).Header {
		if value, ok := strings.CutPrefix(line, "Etag: "); ok {
			etag = value
		}
	}
	if etag == "" {
		t.Fatal("nginx gave no Etag")
	}
	for name, request := range map[string]string{
		"page":           get("/page.html"),
		"gzip":           get("/page.html", "Accept-Encoding: gzip"),
		"HEAD":           strings.Replace(get("/page.html"), "GET", "HEAD", 1),
		"range":          get("/page.html", "Range: bytes=5-20"),
		"bad range":      get("/page.html", "Range: bytes=99999-"),
		"not modified":   get("/page.html", "If-None-Match: "+etag),
		"10 MiB":         get("/big"),
		"empty":          get("/none"),
		"not found":      get("/nothing"),
		"redirect":       get("/status/301"),
		"no content":     get("/status/204"),
		"teapot":         get("/status/418"),
		"error":          get("/status/500"),
		"cookies":        get("/cookies"),
		"echo":           get("/echo//a/%2F..%2f?a=1;b=2&&A=%zz", "X-Header: x", "Cookie: a=b"),
		"echo //":        get("//echo"),
		"echo ?":         get("/echo?"),
		"absolute":       get("http://app.example/echo"),
		"POST":           posting(giftQuery, "{}"),
		"POST to a page": strings.Replace(posting(giftQuery, "{}"), "/hook", "/page.html", 1),
		"destroyed room": strings.Replace(posting(roomQuery, destroyedBody("nginx")), "/hook", "/echo", 1),
		"too large":      strings.Replace(posting(giftQuery, strings.Repeat("x", 100)), "/hook", "/small", 1),
		"odd method":     strings.Replace(get("/page.html"), "GET", "PROPFIND", 1),
		"denied":         strings.Replace(posting(giftQuery, "{}"), "/hook", "/limited", 1),
		"HTTP/1.0":       "GET /page.html HTTP/1.0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			want, got := call(t, address, request), call(t, e.address(), request)
			for _, m := range []*message{&want, &got} {
				for i, line := range m.Header {
					if strings.HasPrefix(line, "Date: ") {
						m.Header[i] = "Date"
					}
				}
			}
			same(t, "the answer", got, want)
		})
	}
	t.Run("no answer", func(t *testing.T) { // nginx closes the connection
		expectFail(t, call(t, e.address(), get("/status/444")), http.StatusBadGateway)
	})
	e.noComplaints()
}

// TestRelayCircle lets requests come round in circles of several makes.
func TestRelayCircle(t *testing.T) {
	t.Parallel()
	proxy := func(t *testing.T, target, more string) string {
		return startNginx(t, "location / { proxy_pass http://"+target+"; "+more+" }", nil)
	}
	for name, through := range map[string]func(t *testing.T, back string) (there string){
		"two exporters": func(t *testing.T, back string) string {
			return startRelay(t, "http://"+back).address()
		},
		"a proxy": func(t *testing.T, back string) string { return proxy(t, back, "") },
		"a proxy that says that it forwards": func(t *testing.T, back string) string {
			return proxy(t, back, "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			back := fixedAddress(t)
			there := through(t, back)
			file := writeFile(t, t.TempDir(), "exporter.yml", relayTo("http://"+there))
			e := startExporter(t, "--config.file="+file, "--webhook.listen-address="+back)
			for _, request := range []string{posting(giftQuery, "{}"), posting(roomQuery, destroyedBody("round"))} {
				expectFail(t, call(t, back, request), http.StatusLoopDetected)
			}
			eventually(t, "the room to be counted", func() bool { return e.scrape().sum(metricRooms) == 1 })
			e.noComplaints()
		})
	}
}

// TestRelayToItself: an app that is the exporter by its address is an error of the configuration.
func TestRelayToItself(t *testing.T) {
	t.Parallel()
	address := fixedAddress(t)
	_, port, _ := net.SplitHostPort(address)
	for _, listener := range []string{"webhook", "web"} {
		for _, target := range []string{"http://" + address, "http://localhost:" + port + "/", "http://[::ffff:127.0.0.1]:" + port} {
			file := writeFile(t, t.TempDir(), "exporter.yml", relayTo(target))
			args := withDefaults([]string{"--config.file=" + file, fmt.Sprintf("--%s.listen-address=%s", listener, address)})
			for _, args := range [][]string{args, append(args, "--config.check")} {
				code, _, stderr := run(t, "", "tuilivekit_exporter", args...)
				if code != 1 || !strings.Contains(stderr, "relay.url") || strings.Contains(stderr, "Listening") {
					t.Errorf("%s: exit code %d, want 1 and an error with relay.url\n%s", args, code, stderr)
				}
			}
		}
	}
	dir := t.TempDir()
	file := writeFile(t, dir, "exporter.yml", relayTo("http://127.0.0.1:1"))
	e := startExporter(t, "--config.file="+file, "--webhook.listen-address="+address)
	writeFile(t, dir, "exporter.yml", relayTo("http://"+address))
	e.reload("POST", false)
}
