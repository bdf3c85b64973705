package ledger

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
)

// childEnv holds the directory for a test that runs itself in a process of its own.
const childEnv = "LEDGER_TEST_CHILD"

// child returns a command that runs the test of that name alone, which finds dir in childEnv.
func child(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	return cmd
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(childEnv); dir != "" {
		options, _ := testOptions(dir, nil)
		l := mustOpen(t, options)
		recordAll(t, l, 0, 5)
		fmt.Println("counted")
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	dir := t.TempDir()
	cmd := child(t, dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := false
	for lines := bufio.NewScanner(stdout); !ready && lines.Scan(); {
		ready = lines.Text() == "counted"
	}
	if !ready {
		t.Fatal("the other process counted nothing")
	}
	options, _ := testOptions(dir, nil)
	before := readFiles(t, dir)
	if _, err := Open(options); err == nil || !strings.Contains(err.Error(), dir+" is in use by another process") {
		t.Errorf("Open while another process has it open: %v", err)
	}
	if after := readFiles(t, dir); len(after) != len(before) {
		t.Errorf("the second process changed files from %v to %v", names(before), names(after))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	l := mustOpen(t, options)
	if got := counted(l.View()); got != 5 {
		t.Errorf("%d rooms are left of a process that was killed, want 5", got)
	}
	if _, err := Open(options); err == nil {
		t.Error("opened twice in one process")
	}
	mustClose(t, l)
	mustClose(t, mustOpen(t, options))
}

// TestRealFullDisk fills a small file system of its own, then makes it read-only.
func TestRealFullDisk(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(childEnv); dir != "" {
		fillDisk(t, dir)
		return
	}
	cmd := child(t, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

func fillDisk(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mount: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	options, observer := testOptions(dir, nil)
	options.segmentSize, options.snapshotAfter = 16<<10, 64<<10
	l := mustOpen(t, options)
	recordAll(t, l, 0, 10)

	ballast := filepath.Join(dir, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = file.Write(make([]byte, 4<<10))
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	recordAll(t, l, 10, 500)
	if observer.all().failures == 0 || !l.Status().Behind {
		t.Fatal("the disk is full and nobody was told")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, l)
	reopenCopy(t, dir, 500)

	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=256k"); err != nil {
		t.Fatal(err)
	}
	l.store.writer.Close() // or else the file system is busy
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatalf("remount read-only: %v", err)
	}
	recordAll(t, l, 500, 510)
	if !l.Status().Behind {
		t.Fatal("the disk is read-only and nobody was told")
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatalf("remount: %v", err)
	}
	caughtUp(t, l)
	reopenCopy(t, dir, 510)
	mustClose(t, l)
	l = mustOpen(t, options)
	recordAll(t, l, 510, 511)
	mustClose(t, l)

	// A start on a file system that is still read-only counts, too.
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatalf("remount read-only: %v", err)
	}
	l = mustOpen(t, options)
	recordAll(t, l, 511, 520)
	if got := counted(l.View()); got != 520 {
		t.Errorf("%d rooms are counted on a read-only file system, want 520", got)
	}
	if err := l.Close(); err == nil {
		t.Error("Close says nothing of a read-only file system")
	}
}

// caughtUp returns when everything counted is durable.
func caughtUp(t *testing.T, l *Ledger) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); l.Status().Behind; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the disk works again and the ledger is still behind")
		}
	}
}

// reopenCopy checks what a start would find in a directory right now.
func reopenCopy(t *testing.T, dir string, rooms uint64) {
	t.Helper()
	options, observer := testOptions(writeFiles(t, readFiles(t, dir)), journal.OSDisk{})
	l := mustOpen(t, options)
	if got := counted(l.View()); got != rooms {
		t.Errorf("%d rooms are durable, want %d; %+v", got, rooms, observer.all().recovery)
	}
	mustClose(t, l)
}
