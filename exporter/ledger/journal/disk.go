package journal

import (
	"io"
	"os"
)

// Disk is all that is ever done to files for writing, so that a test can make
// any of it fail. OSDisk is the real one.
type Disk interface {
	// Create creates a file for writing that must not exist yet.
	Create(path string) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes created, renamed and removed names in a directory durable.
	SyncDir(path string) error
}

// File is an open file for writing.
type File interface {
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
}

// OSDisk is the operating system's file system.
type OSDisk struct{}

// Create implements Disk.
func (OSDisk) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
}

// Rename implements Disk.
func (OSDisk) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements Disk.
func (OSDisk) Remove(path string) error { return os.Remove(path) }

// SyncDir implements Disk.
func (OSDisk) SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
