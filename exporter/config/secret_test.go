package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestSecretIsHidden(t *testing.T) {
	t.Parallel()
	const text = "example-token"
	secret := Secret(text)
	app := App{SDKAppID: 1, Tokens: []Secret{secret}}
	shown := map[string]string{"String": secret.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		shown["secret "+verb] = fmt.Sprintf(verb, secret)
		shown["app "+verb] = fmt.Sprintf(verb, app)
	}
	for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal} {
		for _, v := range []any{secret, []Secret{secret}, app} {
			out, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			shown[fmt.Sprintf("%s %T", name, v)] = string(out)
		}
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("loaded", "token", secret, "app", app)
		shown[fmt.Sprintf("%T", handler)] = log.String()
		log.Reset()
	}
	for how, out := range shown {
		if strings.Contains(out, text) || strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", text)) {
			t.Errorf("%s shows the token: %s", how, out)
		}
		// The YAML of an app has no tokens at all.
		if how != "yaml config.App" && !strings.Contains(out, "secret") {
			t.Errorf("%s does not say that there is a token: %s", how, out)
		}
	}
	if string(secret) != text {
		t.Errorf("the text of the secret is %q", string(secret))
	}
}
