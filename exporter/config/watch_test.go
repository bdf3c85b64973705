package config_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
)

// must fails the test at the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600))
}

// swap writes a generation of a Kubernetes volume and makes it the current one, as kubelet does.
func swap(t *testing.T, volume, generation string, content map[string]string) {
	t.Helper()
	for name, text := range content {
		write(t, filepath.Join(volume, ".."+generation, name), text)
	}
	before, _ := os.Readlink(filepath.Join(volume, "..data")) // none at first
	must(t,
		os.Symlink(".."+generation, filepath.Join(volume, "..data_tmp")),
		os.Rename(filepath.Join(volume, "..data_tmp"), filepath.Join(volume, "..data")))
	if before != "" {
		must(t, os.RemoveAll(filepath.Join(volume, before)))
	}
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		file   string
		before func(t *testing.T, dir string)
		change func(t *testing.T, dir string)
	}{
		{"written in place", "file",
			func(t *testing.T, dir string) { write(t, dir+"/file", "old") },
			func(t *testing.T, dir string) { write(t, dir+"/file", "new") }},
		{"renamed over", "file",
			func(t *testing.T, dir string) { write(t, dir+"/file", "old") },
			func(t *testing.T, dir string) {
				write(t, dir+"/file~", "new")
				must(t, os.Rename(dir+"/file~", dir+"/file"))
			}},
		{"removed", "file",
			func(t *testing.T, dir string) { write(t, dir+"/file", "old") },
			func(t *testing.T, dir string) { must(t, os.Remove(dir+"/file")) }},
		{"appears with its folder", "folder/file",
			func(*testing.T, string) {},
			func(t *testing.T, dir string) { write(t, dir+"/folder/file", "new") }},
		{"Kubernetes volume", "volume/file",
			func(t *testing.T, dir string) {
				swap(t, dir+"/volume", "1", map[string]string{"file": "old"})
				must(t, os.Symlink("..data/file", dir+"/volume/file"))
			},
			func(t *testing.T, dir string) { swap(t, dir+"/volume", "2", map[string]string{"file": "new"}) }},
		{"folder in a Kubernetes volume", "volume/folder/file",
			func(t *testing.T, dir string) {
				swap(t, dir+"/volume", "1", map[string]string{"folder/file": "old"})
				must(t, os.Symlink("..data/folder", dir+"/volume/folder"))
			},
			func(t *testing.T, dir string) { swap(t, dir+"/volume", "2", map[string]string{"folder/file": "new"}) }},
		{"absolute link on the way", "current/etc/file",
			func(t *testing.T, dir string) {
				write(t, dir+"/releases/1/etc/file", "old")
				write(t, dir+"/releases/2/etc/file", "new")
				must(t, os.Symlink(dir+"/releases/1", dir+"/current"))
			},
			func(t *testing.T, dir string) {
				must(t, os.Symlink(dir+"/releases/2", dir+"/next"), os.Rename(dir+"/next", dir+"/current"))
			}},
		{"link to a file elsewhere that is written", "file",
			func(t *testing.T, dir string) {
				write(t, dir+"/elsewhere/file", "old")
				must(t, os.Symlink("elsewhere/file", dir+"/file"))
			},
			func(t *testing.T, dir string) { write(t, dir+"/elsewhere/file", "new") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			test.before(t, dir)
			changed := runWatcher(t, filepath.Join(dir, test.file))
			test.change(t, dir)
			awaitChange(t, changed)
		})
	}
}

// TestWatcherBeforeRun changes a file that may have been loaded, but is not yet watched.
func TestWatcherBeforeRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "old")
	w := config.NewWatcher(slog.New(slog.DiscardHandler), func() []string { return []string{file} })
	write(t, file, "new")
	changed := make(chan struct{}, 1)
	go w.Run(t.Context(), func() { changed <- struct{}{} })
	awaitChange(t, changed)
}

// TestWatcherFollowsFiles makes a configuration name another file, and changes that.
func TestWatcherFollowsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "etc", "exporter.yml")
	write(t, file, "apps: [{sdk_app_id: 1}]\n")
	w := config.NewWatcher(slog.New(slog.DiscardHandler), func() []string { return config.Files(file) })
	changed := make(chan struct{})
	go w.Run(t.Context(), func() {
		select {
		case changed <- struct{}{}:
		case <-t.Context().Done():
		}
	})
	write(t, file, "apps: [{sdk_app_id: 1, token_files: [../secrets/token]}]\n")
	awaitChange(t, changed)
	for _, content := range []string{"first", "second"} {
		write(t, filepath.Join(dir, "secrets", "token"), content)
		awaitChange(t, changed)
	}
}

// runWatcher runs a Watcher of one file until the test ends, from the first round on.
func runWatcher(t *testing.T, file string) <-chan struct{} {
	t.Helper()
	watching := make(chan struct{}, 1000)
	w := config.NewWatcher(slog.New(slog.DiscardHandler), func() []string {
		watching <- struct{}{}
		return []string{file}
	})
	<-watching // by NewWatcher itself
	ctx, cancel := context.WithCancel(t.Context())
	changed, ended := make(chan struct{}, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx, func() { changed <- struct{}{} })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	<-watching
	return changed
}

// awaitChange waits for a change; the limit only ends a test that hangs.
func awaitChange(t *testing.T, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatal("the change was not noticed by a sign of it")
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	const tls = "relay: {tls_config: {ca_file: ca.pem, cert_file: /tls/cert.pem, key_file: ../key.pem}}\n"
	tests := []struct {
		name, yaml string
		want       []string
	}{
		{"nothing named", "apps: [{sdk_app_id: 1}]\n", nil},
		{"tokens", "apps: [{sdk_app_id: 1, token_files: [a, /b]}, {sdk_app_id: 2, token_files: [c/d]}]\n", []string{"DIR/a", "/b", "DIR/c/d"}},
		{"TLS", tls, []string{"DIR/ca.pem", "/tls/cert.pem", "PARENT/key.pem"}},
		{"wrong elsewhere", "apps: [{sdk_app_id: none, token_files: [a]}]\nunknown: 1\n", []string{"DIR/a"}},
		{"empty", "", nil},
		{"no YAML", "\t:", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "exporter.yml")
			write(t, file, test.yaml)
			want := []string{file}
			for _, name := range test.want {
				switch {
				case len(name) > 4 && name[:4] == "DIR/":
					name = filepath.Join(dir, name[4:])
				case len(name) > 7 && name[:7] == "PARENT/":
					name = filepath.Join(filepath.Dir(dir), name[7:])
				}
				want = append(want, name)
			}
			if got := config.Files(file); !slices.Equal(got, want) {
				t.Errorf("Files() = %q, want %q", got, want)
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "missing.yml")
	if got := config.Files(missing); !slices.Equal(got, []string{missing}) {
		t.Errorf("Files() of a missing file = %q", got)
	}
}
