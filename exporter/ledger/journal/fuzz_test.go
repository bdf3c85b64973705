package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzRead reads a segment of any contents between two sound ones.
func FuzzRead(f *testing.F) {
	segment := make([]byte, 512)
	copy(segment, segmentHeader{id: testID, size: 512}.encode())
	sound := bytes.Clone(segment)
	copy(sound[headerSize:], appendBlock(appendBlock(nil, 11, [][]byte{record(11), {}}), 13, [][]byte{record(13)}))
	f.Add(segment)
	f.Add(sound)
	f.Add(sound[:100])
	f.Add([]byte{})
	for _, at := range []int{0, 8, 20, 70, 76, 80, 90, 130, 500} {
		damaged := bytes.Clone(sound)
		damaged[at] ^= 0x10
		f.Add(damaged)
	}
	f.Fuzz(func(t *testing.T, contents []byte) {
		dir := t.TempDir()
		for first, b := range map[uint64][]byte{1: segment, 11: contents, 21: segment} {
			if err := os.WriteFile(filepath.Join(dir, segmentName(first)), b, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		var last uint64
		report, _, err := Read(dir, testID, 5, func(sequence uint64, b []byte) error {
			if sequence < 5 || sequence <= last {
				t.Fatalf("record %d follows %d", sequence, last)
			}
			if len(b) > len(contents) {
				t.Fatalf("a record of %d bytes in %d", len(b), len(contents))
			}
			last = sequence
			return nil
		})
		if err != nil && !errors.Is(err, ErrNewerVersion) && report.Damages == nil && len(contents) < headerSize {
			t.Fatalf("neither read nor damaged: %v", err)
		}
		if err == nil && len(contents) < headerSize && report.Damages == nil {
			t.Fatalf("%d bytes are taken for a sound segment", len(contents))
		}
	})
}
