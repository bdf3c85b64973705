package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxTokenChars = 128     // the sender's limit
	maxTokenBytes = 4 << 10 // of a token file
)

// readTokens reads the token files of all apps. Paths in the file are relative to its folder.
func readTokens(cfg *Config, folder string, p *problems) {
	for i := range cfg.Apps {
		app := &cfg.Apps[i]
		for j, name := range app.TokenFiles {
			path := name
			if !filepath.IsAbs(path) {
				path = filepath.Join(folder, path)
			}
			key := fmt.Sprintf("apps[%d].token_files[%d]", i, j)
			if name == "" {
				p.add(key, "must not be empty")
				continue
			}
			secret, err := readToken(path)
			if err != nil {
				p.add(key, "%s %v", quote(name), err)
				continue
			}
			app.Tokens = append(app.Tokens, secret)
		}
	}
}

// readToken returns the token in a file, without the white space around it. Its errors name neither the file nor the
// token.
func readToken(path string) (Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", cannotRead(err)
	}
	if !info.Mode().IsRegular() {
		// Anything else, a pipe for one, could hold up a reload for ever.
		return "", errors.New("is not a regular file")
	}
	data, err := readFile(path, maxTokenBytes)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		return "", errors.New("is empty")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", errors.New("must hold one line of printable text")
	case utf8.RuneCountInString(text) > maxTokenChars:
		return "", fmt.Errorf("holds a token longer than %d characters", maxTokenChars)
	}
	return Secret(text), nil
}
