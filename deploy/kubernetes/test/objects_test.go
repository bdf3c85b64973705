package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// object is one of Kubernetes' objects, as JSON decodes it.
type object map[string]any

// at returns what is under some keys, or nil.
func (o object) at(keys ...string) any {
	var value any = map[string]any(o)
	for _, key := range keys {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}

func (o object) kind() string { return fmt.Sprint(o["kind"]) }
func (o object) name() string { return fmt.Sprint(o.at("metadata", "name")) }
func (o object) namespace() string {
	namespace, _ := o.at("metadata", "namespace").(string)
	return namespace
}
func (o object) String() string { return o.kind() + " " + o.name() }

// parse returns the objects of a YAML stream.
func parse(t *testing.T, text string) (objects []object) {
	t.Helper()
	for document := range strings.SplitSeq(text, "\n---\n") {
		var o object
		check(t, yaml.Unmarshal([]byte(document), &o))
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	return objects
}

// find returns the one object of a kind.
func find(t *testing.T, objects []object, kind string) object {
	t.Helper()
	i := slices.IndexFunc(objects, func(o object) bool { return o.kind() == kind })
	if i < 0 {
		t.Fatalf("there is no %s", kind)
	}
	return objects[i]
}

// get returns an object as it is in the cluster.
func (c *cluster) get(o object) object {
	c.t.Helper()
	args := []string{"get", o.kind(), o.name(), "-o", "json"}
	if o.namespace() != "" {
		args = append(args, "--namespace="+o.namespace())
	}
	var live object
	check(c.t, json.Unmarshal([]byte(c.kubectl(args...)), &live))
	return live
}

// missing returns where something that was written is not, or not so, in what is.
func missing(path string, written, live any) (places []string) {
	switch written := written.(type) {
	case map[string]any:
		live, ok := live.(map[string]any)
		if !ok {
			return []string{path}
		}
		for _, key := range slices.Sorted(maps.Keys(written)) {
			if _, there := live[key]; !there {
				places = append(places, path+"."+key)
				continue
			}
			places = append(places, missing(path+"."+key, written[key], live[key])...)
		}
	case []any:
		live, ok := live.([]any)
		if !ok || len(live) != len(written) {
			return []string{path}
		}
		for i := range written {
			places = append(places, missing(fmt.Sprintf("%s[%d]", path, i), written[i], live[i])...)
		}
	default:
		if written != live {
			return []string{fmt.Sprintf("%s: %v became %v", path, written, live)}
		}
	}
	return places
}

func TestMissing(t *testing.T) {
	t.Parallel()
	live := parse(t, "{a: 1, b: {c: [x, {d: v}]}, e: more}")[0]
	for text, want := range map[string][]string{
		"{a: 1, b: {c: [x, {d: v}]}}": nil,
		"{a: 2}":                      {": 2 became 1"},
		"{b: {z: 1}}":                 {".b.z"},
		"{b: {c: [x]}}":               {".b.c"},
		"{b: {c: [x, {d: 1}]}}":       {".b.c[1].d: 1 became v"},
		"{a: {b: 1}}":                 {".a"},
	} {
		got := missing("", map[string]any(parse(t, text)[0]), map[string]any(live))
		if len(got) != len(want) || len(want) == 1 && !strings.HasSuffix(got[0], want[0]) {
			t.Errorf("missing of %s: %q, want %q", text, got, want)
		}
	}
}
