package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
	"github.com/prometheus/common/model"
)

// decoder copies a YAML tree into a Config. It stands in for the YAML library's own decoder, which reads 1.5 as the
// integer 1, text as a number and a null list item as zero, and stops at the first thing it does not like.
//
// Anchors, aliases, merge keys and tags are none of the node types that a value may have: they are refused, never
// expanded.
type decoder struct {
	*problems
}

// value decodes a node into v. If the node does not fit, that is a problem and v keeps what it holds.
func (d decoder) value(node ast.Node, path string, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		d.duration(node, path, v)
		return
	case v.Type() == reflect.TypeFor[map[int64]string]():
		d.names(node, path, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(node, path, v)
	case reflect.Slice:
		d.list(node, path, v)
	case reflect.String:
		if text, ok := d.scalar(node, path, "text", ast.StringType); ok {
			v.SetString(text)
		}
	case reflect.Bool:
		if text, ok := d.scalar(node, path, "true or false", ast.BoolType); ok {
			v.SetBool(strings.EqualFold(text, "true"))
		}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		d.integer(node, path, v)
	case reflect.Float64:
		d.number(node, path, v)
	default:
		panic(fmt.Sprintf("config: %s has a type that the decoder does not know: %s", path, v.Type()))
	}
}

// structure decodes a mapping whose keys are the yaml tags of a struct.
func (d decoder) structure(node ast.Node, path string, v reflect.Value) {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("yaml"); key != "-" {
			fields[key] = v.Field(i)
		}
	}
	prefix := path
	if prefix != "" {
		prefix += "."
	}
	for _, entry := range d.entries(node, path) {
		key, line := keyOf(entry)
		field, known := fields[key]
		switch child := prefix + key; {
		case !known:
			d.addAt(line, prefix+shownKey(key), "unknown key")
		case d.has(child):
			d.addAt(line, child, "is already set on line %d", d.line(child))
		default:
			d.lines[child] = line
			if entry.Value.Type() != ast.NullType {
				d.value(entry.Value, child, field)
			}
		}
	}
}

// names decodes a mapping of integers to text. The integers may be quoted: JSON, and YAML that was made of it, knows
// no other keys.
func (d decoder) names(node ast.Node, path string, v reflect.Value) {
	names := map[int64]string{}
	for _, entry := range d.entries(node, path) {
		key, line := keyOf(entry)
		child := path + "." + shownKey(key)
		id, err := strconv.ParseInt(key, 10, 64)
		switch {
		case err != nil || strconv.FormatInt(id, 10) != key:
			d.addAt(line, child, "the key must be a whole number")
		case d.has(child):
			d.addAt(line, child, "is already set on line %d", d.line(child))
		default:
			d.lines[child] = line
			var name string
			d.value(entry.Value, child, reflect.ValueOf(&name).Elem())
			names[id] = name
		}
	}
	if len(names) > 0 {
		v.Set(reflect.ValueOf(names))
	}
}

// list decodes a list. It always gets all items, so that their indexes stay those of the file.
func (d decoder) list(node ast.Node, path string, v reflect.Value) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.add(path, "must be a list, not %s", kind(node))
		return
	}
	if len(sequence.Values) == 0 {
		return
	}
	items := reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values))
	for i, item := range sequence.Values {
		child := fmt.Sprintf("%s[%d]", path, i)
		d.lines[child] = item.GetToken().Position.Line
		d.value(item, child, items.Index(i))
	}
	v.Set(items)
}

func (d decoder) duration(node ast.Node, path string, v reflect.Value) {
	const want = "a duration such as 24h or 1900ms"
	text, ok := d.scalar(node, path, want, ast.StringType, ast.IntegerType)
	if !ok {
		return
	}
	parsed, err := model.ParseDurationAllowNegative(text)
	if err != nil {
		d.add(path, "must be %s, not %s", want, quote(text))
		return
	}
	v.SetInt(int64(parsed))
}

// integer takes decimal digits alone. What else YAML counts as an integer reads differently in its versions: 010 is
// eight to one and ten to another.
func (d decoder) integer(node ast.Node, path string, v reflect.Value) {
	const want = "a whole number"
	text, ok := d.digits(node, path, want)
	if !ok {
		return
	}
	var canonical string
	var err error
	if v.CanUint() {
		var n uint64
		if n, err = strconv.ParseUint(text, 10, v.Type().Bits()); err == nil {
			v.SetUint(n)
		}
		canonical = strconv.FormatUint(n, 10)
	} else {
		var n int64
		if n, err = strconv.ParseInt(text, 10, v.Type().Bits()); err == nil {
			v.SetInt(n)
		}
		canonical = strconv.FormatInt(n, 10)
	}
	switch {
	case err != nil && v.CanUint():
		d.add(path, "must be %s from 1 to 18446744073709551615, not %s", want, shortened(text))
	case err != nil || canonical != text:
		d.add(path, "must be %s in plain decimal digits, not %s", want, shortened(text))
	}
}

func (d decoder) number(node ast.Node, path string, v reflect.Value) {
	const want = "a finite number"
	text, ok := d.digits(node, path, want)
	if !ok {
		return
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d.add(path, "must be %s, not %s", want, shortened(text))
		return
	}
	v.SetFloat(n)
}

// digits returns the text of a number. The parser takes numbers that are too large, and 1e3, for text.
func (d decoder) digits(node ast.Node, path, want string) (string, bool) {
	if tk := node.GetToken(); tk.Type == token.StringType && strings.Trim(tk.Value, "0123456789.eE+-") == "" {
		return tk.Value, true
	}
	return d.scalar(node, path, want, ast.IntegerType, ast.FloatType)
}

// scalar returns the text of a node of one of the types.
func (d decoder) scalar(node ast.Node, path, want string, types ...ast.NodeType) (string, bool) {
	if !slices.Contains(types, node.Type()) {
		got := kind(node)
		if node.Type() == ast.StringType {
			got += " " + quote(node.GetToken().Value)
		}
		d.add(path, "must be %s, not %s", want, got)
		return "", false
	}
	return node.GetToken().Value, true
}

// entries returns the entries of a mapping.
func (d decoder) entries(node ast.Node, path string) []*ast.MappingValueNode {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		d.add(path, "must be a mapping of keys to values, not %s", kind(node))
		return nil
	}
	return mapping.Values
}

// plainKey is a key that needs no quotes in a path.
var plainKey = regexp.MustCompile(`^[-\w]{1,40}$`)

func keyOf(entry *ast.MappingValueNode) (key string, line int) {
	tk := entry.Key.GetToken()
	return tk.Value, tk.Position.Line
}

// shownKey is a key as part of a path.
func shownKey(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return quote(key)
}

// kind names what a node is in the words of errors.
func kind(node ast.Node) string {
	switch node.Type() {
	case ast.MappingType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	case ast.StringType:
		return "text"
	case ast.LiteralType:
		return "a block of text"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "the number " + shortened(node.GetToken().Value)
	case ast.BoolType:
		return node.GetToken().Value
	case ast.NullType:
		return "null"
	case ast.AnchorType, ast.AliasType:
		return "an anchor or alias"
	case ast.TagType:
		return "a tag"
	default:
		return "something else"
	}
}
