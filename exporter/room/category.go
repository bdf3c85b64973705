package room

import (
	"slices"
	"strconv"
)

// Values of the label category that stand for no one category.
const (
	CategoryNone  = "none"  // the room has no category
	CategoryOther = "other" // more distinct unnamed categories than the limit allows
)

// CategoryLabels turns category integers into values of the label category
// and keeps their number bounded: a named category is always its name; of the
// unnamed, the first limit distinct ones are their integer as text and every
// further one is CategoryOther. It is not safe for concurrent use.
type CategoryLabels struct {
	names map[int64]string
	limit int
	seen  map[int64]string // unnamed categories that have their own label
}

// NewCategoryLabels returns labels for the given names, which must be neither
// integers, CategoryNone nor CategoryOther. The names are not copied.
func NewCategoryLabels(names map[int64]string, limit int) *CategoryLabels {
	return &CategoryLabels{names: names, limit: limit, seen: make(map[int64]string)}
}

// Restore tells that label was given out earlier, so that an unnamed category
// keeps its label, and its place within the limit, over a restart. Labels that
// are no integer are left alone.
func (c *CategoryLabels) Restore(label string) {
	id, err := strconv.ParseInt(label, 10, 64)
	if err == nil && strconv.FormatInt(id, 10) == label {
		c.seen[id] = label
	}
}

// Append appends the distinct labels of a room's categories to labels, the
// room's first one first; at least one is appended. overflowed says that a
// category fell under CategoryOther.
func (c *CategoryLabels) Append(labels []string, ids []int64) (_ []string, overflowed bool) {
	if len(ids) == 0 {
		return append(labels, CategoryNone), false
	}
	start := len(labels)
	for _, id := range ids {
		label, ok := c.label(id)
		overflowed = overflowed || !ok
		if !slices.Contains(labels[start:], label) {
			labels = append(labels, label)
		}
	}
	return labels, overflowed
}

func (c *CategoryLabels) label(id int64) (_ string, ok bool) {
	if name, ok := c.names[id]; ok {
		return name, true
	}
	if label, ok := c.seen[id]; ok {
		return label, true
	}
	if len(c.seen) >= c.limit {
		return CategoryOther, false
	}
	label := strconv.FormatInt(id, 10)
	c.seen[id] = label
	return label, true
}

// Known returns every label that the configuration alone makes possible.
func (c *CategoryLabels) Known() []string {
	known := make([]string, 0, len(c.names)+2)
	for _, name := range c.names {
		known = append(known, name)
	}
	slices.Sort(known)
	return append(known, CategoryNone, CategoryOther)
}
