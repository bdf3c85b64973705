// Package kubernetes_test proves the manifests against a real kube-apiserver.
package kubernetes_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// operator is the Prometheus operator whose custom resources a cluster has.
const operator = "github.com/prometheus-operator/prometheus-operator@v0.93.0"

// patience only ends a test that hangs.
const patience = 3 * time.Minute

// cluster is a kube-apiserver with its etcd: objects are admitted, defaulted and stored, but nothing acts on them.
type cluster struct {
	t          *testing.T
	kubeconfig string
}

// startCluster returns a new cluster in which there is what the manifests expect of one: the custom resources of the
// Prometheus operator, and the namespace of the monitoring.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	client, peer := freeAddress(t), freeAddress(t)
	start(t, "etcd", "--data-dir="+dir+"/etcd", "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=http://"+client, "--advertise-client-urls=http://"+client,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer, "--initial-cluster=default=http://"+peer)

	key := filepath.Join(dir, "service-account.key")
	writeKey(t, key)
	write(t, filepath.Join(dir, "tokens.csv"), `admin-token,admin,admin,"system:masters"`)
	secure := freeAddress(t)
	_, port, err := net.SplitHostPort(secure)
	check(t, err)
	start(t, "kube-apiserver", "--etcd-servers=http://"+client, "--bind-address=127.0.0.1", "--secure-port="+port, "--cert-dir="+dir,
		"--token-auth-file="+dir+"/tokens.csv", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+key, "--service-account-signing-key-file="+key)

	c := &cluster{t: t, kubeconfig: filepath.Join(dir, "kubeconfig")}
	write(t, c.kubeconfig, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://%s", certificate-authority: %s/apiserver.crt}}]
users: [{name: admin, user: {token: admin-token}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`, secure, dir))
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		_, message, err := c.try("", "get", "--raw=/readyz")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the kube-apiserver does not come up: %s", message)
		}
	}
	c.kubectl("create", "namespace", "monitoring")
	c.kubectl("apply", "--server-side", "-f", filepath.Join(module(t, operator), "example", "prometheus-operator-crd"))
	c.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
	return c
}

// kubectl runs kubectl, fails the test unless it succeeds without a warning, and returns its output.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	return c.kubectlWith("", args...)
}

// kubectlWith is kubectl with some input.
func (c *cluster) kubectlWith(input string, args ...string) string {
	c.t.Helper()
	stdout, stderr, err := c.try(input, args...)
	if err != nil || strings.Contains(stderr, "Warning") {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

func (c *cluster) try(input string, args ...string) (stdout, stderr string, err error) {
	c.t.Helper()
	cmd := exec.Command(tool(c.t, "kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// start starts a tool that runs until the test ends.
func start(t *testing.T, name string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	check(t, err)
	cmd := exec.Command(tool(t, name), args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
}

// tool returns the path of one of the tools that `make kubernetes` installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("TOOLS_BIN")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", ".tools", "bin")
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	check(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make kubernetes`", err)
	}
	return path
}

// module returns the folder of a Go module.
func module(t *testing.T, version string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", version)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var downloaded struct{ Dir, Error string }
	check(t, json.Unmarshal(out, &downloaded))
	if err != nil || downloaded.Dir == "" {
		t.Fatalf("download %s: %v: %s", version, err, downloaded.Error)
	}
	return downloaded.Dir
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func writeKey(t *testing.T, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	check(t, err)
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(content), 0o600))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
