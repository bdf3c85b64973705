package journal

import (
	"errors"
	"fmt"
	"os"
)

// Remove removes the segments that hold nothing behind the record with sequence
// number last. The newest segment always stays.
func Remove(disk Disk, dir string, last uint64) error {
	segments, err := Segments(dir)
	if err != nil {
		return err
	}
	var failed error
	for i := 0; i+1 < len(segments); i++ {
		if next, _ := segmentFirst(segments[i+1]); next > last+1 {
			break
		}
		// One that is gone got its closed name meanwhile, and is removed next time.
		if err := disk.Remove(segments[i]); !errors.Is(err, os.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, disk.SyncDir(dir))
}

// CutTail puts the bytes of a torn tail aside in a file of their own, whose path
// it returns: should they have been more than a commit that a crash cut
// short, here they are. A segment that held nothing else is removed; in any
// other they do no harm, because the next segment goes on where they began.
func CutTail(disk Disk, dir string, tail *Tail) (aside string, err error) {
	aside = unusedPath(fmt.Sprintf("%s.torn-%d", tail.Path, tail.Offset))
	file, err := disk.Create(aside)
	if err != nil {
		return "", err
	}
	_, err = file.Write(tail.Bytes)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, disk.Remove(aside))
	}
	if tail.Offset == headerSize {
		err = disk.Remove(tail.Path)
	}
	return aside, errors.Join(err, disk.SyncDir(dir))
}

// SetAside renames a damaged file, so that nothing reads or overwrites it, and
// returns its new path.
func SetAside(disk Disk, path string) (aside string, err error) {
	aside = unusedPath(path + ".damaged")
	return aside, disk.Rename(path, aside)
}

func unusedPath(path string) string {
	unused := path
	for i := 2; ; i++ {
		if !exists(unused) {
			return unused
		}
		unused = fmt.Sprintf("%s.%d", path, i)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}
