package config

import (
	"os"
	"reflect"
	"regexp"
	"testing"
)

// The example that ships loads, and the keys that it shows commented are the defaults.
func TestDeployedExample(t *testing.T) {
	t.Parallel()
	const path = "../../deploy/exporter.yml"
	want := minimal()
	want.Apps[0].TokenFiles = []string{"exporter.token"}
	want.Apps[0].Tokens = []Secret{"example-token-change-me"}
	want.Categories.Names = map[int64]string{1: "gaming", 2: "music", 3: "talk", 4: "shopping"}

	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("as it is: got %+v, want %+v", got, want)
	}

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	commented := regexp.MustCompile(`(?m)^#((?:  )?[a-z_]+:)`)
	if n := len(commented.FindAll(data, -1)); n != 19 {
		t.Errorf("found %d commented keys, want 19", n)
	}
	got, err = load(path, commented.ReplaceAll(data, []byte("$1")))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("with the comments taken off: got %+v, want %+v", got, want)
	}
}
