package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// problems collects all that is wrong with one file, so that it can be mended in one go.
type problems struct {
	file   string
	lines  map[string]int  // key path to line, for every known key and list item that the file has
	failed map[string]bool // key paths in list
	list   []problem
}

type problem struct {
	line int
	path string
	text string
}

func newProblems(file string) *problems {
	return &problems{file: file, lines: map[string]int{}, failed: map[string]bool{}}
}

// add notes what is wrong with the value at a key path. The empty path stands for the whole file.
func (p *problems) add(path, format string, args ...any) {
	p.addAt(p.line(path), path, format, args...)
}

// addAt is add for another line than the one known for the path. A value is reported once: a list or mapping that is
// wrong as a whole explains everything that is missing inside it.
func (p *problems) addAt(line int, path, format string, args ...any) {
	for around := path; ; around = parent(around) {
		if p.failed[around] {
			return
		}
		if around == "" {
			break
		}
	}
	p.failed[path] = true
	p.list = append(p.list, problem{line: line, path: path, text: fmt.Sprintf(format, args...)})
}

// has tells whether the file has the key path.
func (p *problems) has(path string) bool {
	_, ok := p.lines[path]
	return ok
}

// line returns the line of the key path, or for one that the file does not have, of the nearest one around it.
func (p *problems) line(path string) int {
	for ; path != ""; path = parent(path) {
		if line, ok := p.lines[path]; ok {
			return line
		}
	}
	return 1
}

// err returns nil, or one error for each problem, joined in the order of their lines.
func (p *problems) err() error {
	slices.SortStableFunc(p.list, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	var errs []error
	for _, one := range p.list {
		where := fmt.Sprintf("%s:%d: ", p.file, one.line)
		if one.path != "" {
			where += one.path + ": "
		}
		errs = append(errs, errors.New(where+one.text))
	}
	return errors.Join(errs...)
}

// parent returns the path of the list or mapping that holds the value at a path that is not empty.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// quote makes text from the file fit for one line of an error.
func quote(s string) string {
	return strconv.Quote(shortened(s))
}

// shortened cuts text from the file to what an error has room for.
func shortened(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}
