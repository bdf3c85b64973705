package config

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The YAML parser needs time and memory for the square of the number of keys and of the depth. At these limits that is
// a few seconds for the worst of files, and a good one has room for some thousand categories.
const (
	maxFileBytes = 64 << 10
	maxDepth     = 32
)

// parse returns the root of the one YAML document in data, or nil if there is nothing in it.
func parse(p *problems, data []byte) ast.Node {
	for i, line := range strings.Split(string(data), "\n") {
		if !utf8.ValidString(line) {
			p.addAt(i+1, "", "must be UTF-8 text")
			return nil
		}
	}
	// Some editors begin a file with a byte order mark, which the parser takes for a part of the first key.
	tokens := lexer.Tokenize(strings.TrimPrefix(string(data), "\ufeff"))
	if tk, wrong := refused(tokens); tk != nil {
		p.addAt(tk.Position.Line, "", "%s", wrong)
		return nil
	}
	// Duplicate keys are left to the decoder, whose errors name the path.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, text := 1, err.Error()
		var at yaml.Error
		if errors.As(err, &at) {
			text = at.GetMessage()
			if tk := at.GetToken(); tk != nil {
				line = tk.Position.Line
			}
		}
		p.addAt(line, "", "is not valid YAML: %s", text)
		return nil
	}
	if len(file.Docs) == 0 {
		return nil
	}
	return file.Docs[0].Body
}

// refused returns the first token that the parser must not see, and why. Some second documents it drops without a word,
// from deep nesting it might not come back, and some tags after a directive make it panic. Nesting by indentation needs
// no look: the size of the file limits it well enough.
func refused(tokens token.Tokens) (tk *token.Token, wrong string) {
	brackets, marks, line := 0, 0, 0
	begun, ended := false, false
	for _, tk := range tokens {
		if tk.Type == token.CommentType {
			continue
		}
		if ended || begun && tk.Type == token.DocumentHeaderType {
			return tk, "must hold one YAML document, and another begins here"
		}
		begun = true
		if tk.Position.Line != line {
			marks, line = 0, tk.Position.Line
		}
		switch tk.Type {
		case token.DirectiveType:
			return tk, "must not hold YAML directives"
		case token.DocumentEndType:
			ended = true
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(brackets-1, 0)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			marks++
		}
		if brackets+marks > maxDepth {
			return tk, "is nested too deeply"
		}
	}
	return nil, ""
}
