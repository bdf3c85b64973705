package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// serve is what the app and the bare ReverseProxy are, each in a process of its own.
func serve(what string, args []string) error {
	if what == "app" {
		return http.ListenAndServe(args[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`)
		}))
	}
	if len(args) < 2 {
		return errors.New("proxy needs an address and the app's")
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: args[1]})
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 1024}
	proxy.BufferPool = &buffers{}
	return http.ListenAndServe(args[0], proxy)
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buffer[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }

const exporterConfig = `apps: [{sdk_app_id: ` + appID + `, token_files: [token]}]
relay: {url: "http://%s"}
`

const nginxConfig = `daemon off; master_process off; pid nginx.pid; error_log stderr warn; events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  keepalive_requests 1000000000;
  upstream app { server %s; keepalive 1024; keepalive_requests 1000000000; }
  server { listen %s; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } }
}
`

// startWays starts everything and returns the address of each way. stop ends it all.
func startWays(s settings) (ways map[string]string, stop func(), err error) {
	var children []*exec.Cmd
	dir := ""
	stop = func() {
		for _, child := range children {
			_ = child.Process.Kill()
			_ = child.Wait()
		}
		if dir != "" {
			os.RemoveAll(dir)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, stop, err
	}
	if s.nginx, err = exec.LookPath(s.nginx); err != nil {
		return nil, stop, err
	}
	if dir, err = os.MkdirTemp("", "relay-bench-"); err != nil {
		return nil, stop, err
	}
	ways = make(map[string]string)
	for _, way := range []string{straight, bare, thruNginx, exporter, "web"} {
		if ways[way], err = freeAddress(); err != nil {
			return nil, stop, err
		}
	}
	for name, content := range map[string]string{
		"token":        token,
		"exporter.yml": fmt.Sprintf(exporterConfig, ways[straight]),
		"nginx.conf":   fmt.Sprintf(nginxConfig, ways[straight], ways[thruNginx]),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, stop, err
		}
	}
	for _, command := range [][]string{
		{self, "app", ways[straight]},
		{self, "proxy", ways[bare], ways[straight]},
		{s.nginx, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf")},
		{s.exporter, "--config.file=" + filepath.Join(dir, "exporter.yml"), "--storage.path=" + filepath.Join(dir, "data"), "--log.level=warn",
			"--webhook.listen-address=" + ways[exporter], "--web.listen-address=" + ways["web"]},
	} {
		child := exec.Command(command[0], command[1:]...)
		child.Stdout, child.Stderr = os.Stderr, os.Stderr
		if err := child.Start(); err != nil {
			return nil, stop, err
		}
		children = append(children, child)
	}
	for way, address := range ways {
		if err := await(address); err != nil {
			return nil, stop, fmt.Errorf("start %s: %w", way, err)
		}
	}
	return ways, stop, nil
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func await(address string) (err error) {
	for range 100 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}
