// Package journal is an append-only log of records that survives the death of
// the process and of the machine, and says what it could not keep. It knows
// nothing of what a record means.
//
// A journal is a directory of segments. A segment is made at its full size,
// filled with zeros, so that a commit changes neither its length nor its
// allocation and the disk has one thing to flush. It holds a header and blocks;
// a block is what one commit wrote: some records, a checksum over all of them,
// and the sequence number of the first. So damage is found, what lies behind it
// is found again, and how many records are missing is known. Only the newest
// segment has a name that ends in .open: without it, the end is missing.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"
)

// Version is the version of the format of all files in the directory.
const Version = 1

// ErrNewerVersion says that a file was written by a newer version of the exporter.
var ErrNewerVersion = errors.New("written by a newer version")

const (
	segmentMagic = 0x314c4e524a4b4c54 // "TLKJRNL1"
	blockMagic   = 0x4b434c42         // "BLCK"
	headerSize   = 64
	blockHeader  = 24
	// blockAlign is where blocks start: the steps in which one is looked for
	// behind damage.
	blockAlign = 16

	segmentPrefix = "journal-"
	openSuffix    = ".open" // of the newest segment
	closedSuffix  = ".seg"  // of all others
)

// TemporarySuffix ends the name of a file that is not finished. Whoever finds
// one at start-up may remove it.
const TemporarySuffix = ".tmp"

// Checksum returns the checksum (CRC-32C) that all files of the directory use.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// segmentHeader is the beginning of a segment:
//
//	magic 8 | version 4 | checksum of those 4 | id 8 | size 8 | checksum of all before 4 | zeros
//
// The first three are read before all else and stay as they are in every
// version to come.
type segmentHeader struct {
	id   uint64 // of the store that the segment belongs to
	size int64  // of the whole file
}

func (h segmentHeader) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = AppendFileHeader(b, segmentMagic)
	b = binary.LittleEndian.AppendUint64(b, h.id)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.size))
	b = binary.LittleEndian.AppendUint32(b, Checksum(b))
	return b[:headerSize]
}

func decodeSegmentHeader(b []byte) (h segmentHeader, err error) {
	if err := CheckFileHeader(b, segmentMagic); err != nil {
		return h, err
	}
	if len(b) < headerSize || Checksum(b[:32]) != binary.LittleEndian.Uint32(b[32:]) {
		return h, errors.New("header is damaged")
	}
	h.id = binary.LittleEndian.Uint64(b[16:])
	h.size = int64(binary.LittleEndian.Uint64(b[24:]))
	return h, nil
}

// FileHeaderSize is the length of what AppendFileHeader appends.
const FileHeaderSize = 16

// AppendFileHeader appends the beginning that every file of the directory has.
func AppendFileHeader(b []byte, magic uint64) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, magic)
	b = binary.LittleEndian.AppendUint32(b, Version)
	return binary.LittleEndian.AppendUint32(b, Checksum(b[start:]))
}

// CheckFileHeader returns an error if b does not begin as AppendFileHeader has
// it, ErrNewerVersion if only the version is one to come.
func CheckFileHeader(b []byte, magic uint64) error {
	if len(b) < FileHeaderSize || binary.LittleEndian.Uint64(b) != magic ||
		binary.LittleEndian.Uint32(b[12:]) != Checksum(b[:12]) {
		return errors.New("not a file of this kind, or its beginning is damaged")
	}
	if version := binary.LittleEndian.Uint32(b[8:]); version > Version {
		return fmt.Errorf("%w (format %d; this one knows up to %d)", ErrNewerVersion, version, Version)
	}
	return nil
}

// appendBlock appends the block of a commit:
//
//	magic 4 | checksum of all behind 4 | length of records 4 | count 4 | first sequence 8 | records | zeros up to blockAlign
//
// and each record as its length, a varint, and its bytes.
func appendBlock(b []byte, first uint64, records [][]byte) []byte {
	start := len(b)
	b = append(b, make([]byte, blockHeader)...)
	for _, record := range records {
		b = binary.AppendUvarint(b, uint64(len(record)))
		b = append(b, record...)
	}
	header := b[start:]
	binary.LittleEndian.PutUint32(header, blockMagic)
	binary.LittleEndian.PutUint32(header[8:], uint32(len(header)-blockHeader))
	binary.LittleEndian.PutUint32(header[12:], uint32(len(records)))
	binary.LittleEndian.PutUint64(header[16:], first)
	binary.LittleEndian.PutUint32(header[4:], Checksum(header[8:]))
	for (len(b)-start)%blockAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// block is a valid block that was read.
type block struct {
	first   uint64
	count   uint32
	records []byte
	size    int // in the file
}

// decodeBlock returns the block at the beginning of b, if there is a valid one.
func decodeBlock(b []byte) (block, bool) {
	if len(b) < blockHeader || binary.LittleEndian.Uint32(b) != blockMagic {
		return block{}, false
	}
	length := int64(binary.LittleEndian.Uint32(b[8:]))
	if blockHeader+length > int64(len(b)) {
		return block{}, false
	}
	end := blockHeader + int(length)
	if Checksum(b[8:end]) != binary.LittleEndian.Uint32(b[4:]) {
		return block{}, false
	}
	return block{
		first:   binary.LittleEndian.Uint64(b[16:]),
		count:   binary.LittleEndian.Uint32(b[12:]),
		records: b[blockHeader:end],
		size:    align(end),
	}, true
}

// each calls fn with each record and its sequence number.
func (b block) each(fn func(sequence uint64, record []byte) error) error {
	rest := b.records
	for i := range uint64(b.count) {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return errors.New("records do not fill their block")
		}
		if err := fn(b.first+i, rest[n:n+int(length)]); err != nil {
			return err
		}
		rest = rest[n+int(length):]
	}
	return nil
}

func align(n int) int { return (n + blockAlign - 1) / blockAlign * blockAlign }

// segmentName names the newest segment after the sequence number of its first record.
func segmentName(first uint64) string {
	return fmt.Sprintf("%s%020d%s", segmentPrefix, first, openSuffix)
}

// closedName returns the name, or path, of a segment behind which there is another.
func closedName(name string) string {
	return strings.TrimSuffix(name, openSuffix) + closedSuffix
}

func isClosed(name string) bool { return strings.HasSuffix(name, closedSuffix) }

// segmentFirst returns the sequence number in a segment's name.
func segmentFirst(path string) (first uint64, ok bool) {
	name := filepath.Base(path)
	digits, _ := strings.CutPrefix(name, segmentPrefix)
	digits, _, _ = strings.Cut(digits, ".")
	first, err := strconv.ParseUint(digits, 10, 64)
	open := segmentName(first)
	return first, err == nil && (name == open || name == closedName(open))
}
