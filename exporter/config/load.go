package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
)

// Load reads the configuration file and the token files that it names. Nothing is kept between calls: after a change
// of any of these files the next call returns what they hold then.
//
// The error holds every problem found, one a line, in the order of the file:
//
//	exporter.yml:7: apps[1].sdk_app_id: 1400000001 is already used on line 3
//
// It shows no token.
func Load(path string) (*Config, error) {
	data, err := readFile(path, maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return load(path, data)
}

// ForApps returns the defaults with the given apps, for a command line that names apps in place of a file. The token
// file, relative to the working directory, is that of every app; if it is empty, signatures are not checked.
func ForApps(sdkAppIDs []uint64, tokenFile string) (*Config, error) {
	if len(sdkAppIDs) == 0 {
		return nil, errors.New("--webhook.sdk-app-id: at least one app is needed")
	}
	cfg := defaults()
	seen := map[uint64]bool{}
	for _, id := range sdkAppIDs {
		if id == 0 {
			return nil, errors.New("--webhook.sdk-app-id: " + badAppID)
		}
		if seen[id] {
			return nil, fmt.Errorf("--webhook.sdk-app-id: %d is given twice", id)
		}
		seen[id] = true
		app := App{SDKAppID: id}
		if tokenFile != "" {
			secret, err := readToken(tokenFile)
			if err != nil {
				return nil, fmt.Errorf("--webhook.token-file: %s: %w", tokenFile, err)
			}
			app.TokenFiles = []string{tokenFile}
			app.Tokens = []Secret{secret}
		}
		cfg.Apps = append(cfg.Apps, app)
	}
	return cfg, nil
}

// load is Load for the bytes of the file at path.
func load(path string, data []byte) (*Config, error) {
	p := newProblems(path)
	root := parse(p, data)
	if len(p.list) > 0 {
		return nil, p.err()
	}
	cfg := defaults()
	if root != nil {
		decoder{p}.value(root, "", reflect.ValueOf(cfg).Elem())
	}
	readTokens(cfg, filepath.Dir(path), p)
	readRelayTLS(&cfg.Relay, filepath.Dir(path), p)
	validate(cfg, p)
	if len(p.list) > 0 {
		return nil, p.err()
	}
	return cfg, nil
}

// readFile returns what a file holds, if that is not more than a number of bytes. Its errors do not name the file.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, cannotRead(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("is larger than %d bytes", limit)
	}
	return data, nil
}

// cannotRead drops the path of a file system error: it stands at the head of ours, as the user wrote it.
func cannotRead(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}
