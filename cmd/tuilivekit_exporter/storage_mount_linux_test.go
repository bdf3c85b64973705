package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// insideVariable is set for a test binary that may mount what it likes.
const insideVariable = "TUILIVEKIT_EXPORTER_TEST_OWN_MOUNTS"

// withOwnMounts runs the rest of the calling test in a process of its own, whose
// mounts nobody else sees and which are gone when it ends. Who is not root is so
// in there. It returns true inside that process.
func withOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := startWith(t, func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), insideVariable+"=1", binariesVariable+"="+binaries)
		cmd.Dir = "" // where tools and files are found from
		attr := endingWithParent()
		attr.Unshareflags = syscall.CLONE_NEWNS
		if os.Geteuid() != 0 {
			attr.Cloneflags = syscall.CLONE_NEWUSER
			attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
			attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
		}
		cmd.SysProcAttr = attr
	}, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	<-p.ended // which it does within the timeout of tests
	if code := p.wait(); code != 0 || !strings.Contains(p.stdout.String(), "--- PASS: "+t.Name()) {
		t.Errorf("with mounts of its own: exit code %d", code)
	}
	return false
}

// disk is a file system of its own that a test can fill.
type disk struct {
	t      *testing.T
	path   string
	filler string
}

func mountDisk(t *testing.T, size int) *disk {
	t.Helper()
	d := &disk{t: t, path: t.TempDir()}
	d.filler = filepath.Join(d.path, "filler")
	if err := syscall.Mount("tmpfs", d.path, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("mount a file system for the test, which needs root or user namespaces: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.path, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return d
}

// fill takes all space that is left but for some bytes.
func (d *disk) fill(left int64) {
	d.t.Helper()
	file, err := os.OpenFile(d.filler, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
	if left > 0 {
		info, err := file.Stat()
		if err == nil {
			err = file.Truncate(info.Size() - left)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.filler); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.t.Fatal(err)
	}
}

// remount makes the disk read-only or writable as soon as no file is being written.
func (d *disk) remount(readOnly bool) {
	d.t.Helper()
	var flags uintptr = syscall.MS_REMOUNT
	if readOnly {
		flags |= syscall.MS_RDONLY
	}
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if err = syscall.Mount("", d.path, "", flags, ""); !errors.Is(err, syscall.EBUSY) {
			break
		}
	}
	if err != nil {
		d.t.Fatalf("remount: %v", err)
	}
}
