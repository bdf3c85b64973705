package config

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yml", "testdata/bad/*.yml", "../../deploy/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("find seeds %s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	const path = "testdata/good/fuzz.yml"
	line := regexp.MustCompile(`^testdata/good/fuzz\.yml:[1-9][0-9]*: \S`)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return // the limits have tests of their own
		}
		cfg, err := load(path, data)
		if err != nil {
			if cfg != nil {
				t.Error("got a configuration and an error")
			}
			for _, one := range strings.Split(err.Error(), "\n") {
				if !line.MatchString(one) {
					t.Errorf("a line of the error does not begin with file and line: %q", one)
				}
			}
			return
		}
		again := newProblems(path)
		readTokens(&Config{Apps: cfg.Apps}, filepath.Dir(path), again)
		validate(cfg, again)
		if err := again.err(); err != nil {
			t.Errorf("what was loaded is not valid: %v", err)
		}
		for id, name := range cfg.Categories.Names {
			if !utf8.ValidString(name) {
				t.Errorf("category %d has the name %q, which is no UTF-8", id, name)
			}
		}
		http.NewServeMux().HandleFunc("POST "+cfg.Webhook.Path, func(http.ResponseWriter, *http.Request) {}) // panics on a bad path
	})
}
