package config

import (
	"path/filepath"
	"reflect"
)

// Files returns the files that Load(path) reads: the configuration file first, then those that it names, as far as it
// can be understood. They need not exist.
func Files(path string) []string {
	files := []string{path}
	data, err := readFile(path, maxFileBytes)
	if err != nil {
		return files
	}
	p := newProblems(path)
	root := parse(p, data)
	if root == nil || len(p.list) > 0 {
		return files
	}
	cfg := defaults()
	decoder{p}.value(root, "", reflect.ValueOf(cfg).Elem())
	var named []string
	for _, app := range cfg.Apps {
		named = append(named, app.TokenFiles...)
	}
	named = append(named, cfg.Relay.TLS.CAFile, cfg.Relay.TLS.CertFile, cfg.Relay.TLS.KeyFile)
	for _, name := range named {
		switch {
		case name == "":
		case filepath.IsAbs(name):
			files = append(files, name)
		default:
			files = append(files, filepath.Join(filepath.Dir(path), name))
		}
	}
	return files
}
