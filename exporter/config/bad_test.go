package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bad has each file of testdata/bad, and the lines of its error after the name of the file.
func bad() []badFile {
	return []badFile{
		{"alias_bomb", []string{
			"1: a: unknown key",
			"2: b: unknown key",
			"3: c: unknown key",
			"4: d: unknown key",
			"5: e: unknown key",
			"6: f: unknown key",
			"7: g: unknown key",
			"8: h: unknown key",
			"9: i: unknown key",
		}},
		{"anchor_and_alias", []string{
			"3: webhook: must be a mapping of keys to values, not an anchor or alias",
			"5: relay: must be a mapping of keys to values, not an anchor or alias",
		}},
		{"app_null", []string{"3: apps[1]: must be a mapping of keys to values, not null"}},
		{"apps_empty", []string{"3: apps: at least one app is needed"}},
		{"apps_missing", []string{"1: apps: at least one app is needed"}},
		{"apps_not_a_list", []string{"1: apps: must be a list, not a mapping"}},
		{"apps_null", []string{"3: apps: at least one app is needed"}},
		{"buckets_negative", []string{
			"5: histograms.buckets.gift_coins[0]: must not be negative: -1",
			"6: histograms.buckets.gift_senders[0]: must not be negative: -0",
		}},
		{"buckets_not_finite", []string{
			"5: histograms.buckets.likes[1]: must be a finite number, not the number .nan",
			"5: histograms.buckets.likes[2]: must be a finite number, not the number .inf",
			"5: histograms.buckets.likes[3]: must be a finite number, not 1e999",
		}},
		{"buckets_not_numbers", []string{
			"5: histograms.buckets.viewers: must be a list, not the number 10",
			`6: histograms.buckets.likes[1]: must be a finite number, not text "many"`,
			`6: histograms.buckets.likes[2]: must be a finite number, not text "10"`,
			"6: histograms.buckets.likes[3]: must be a finite number, not null",
		}},
		{"buckets_not_sorted", []string{
			"5: histograms.buckets.viewers[2]: must be above the bound before it: 10",
			"8: histograms.buckets.gifts[1]: must be above the bound before it: 1",
		}},
		{"category_key_not_integer", []string{
			"5: categories.names.gaming: the key must be a whole number",
			`6: categories.names."1.5": the key must be a whole number`,
			"7: categories.names.0x1: the key must be a whole number",
			"8: categories.names.9223372036854775808: the key must be a whole number",
		}},
		{"category_key_repeated", []string{"6: categories.names.1: is already set on line 5"}},
		{"category_limit_negative", []string{"4: categories.limit: must not be negative"}},
		{"category_name_empty", []string{
			"4: categories.names.3: must be text, not null",
			"4: categories.names.1: must not be empty",
			"4: categories.names.2: must not be empty",
		}},
		{"category_name_integer", []string{
			`5: categories.names.1: must not be an integer: "2" would pass for an unnamed category`,
			`6: categories.names.2: must not be an integer: "-007" would pass for an unnamed category`,
			"7: categories.names.3: must be text, not the number 4",
		}},
		{"category_name_repeated", []string{`6: categories.names.1: "gaming" is already the name of 2 on line 5`}},
		{"category_name_reserved", []string{
			`5: categories.names.1: "none" is reserved`,
			`6: categories.names.2: "other" is reserved`,
		}},
		{"category_names_list", []string{"4: categories.names: must be a mapping of keys to values, not a list"}},
		{"dedupe_window_list", []string{"4: dedupe.window: must be a duration such as 24h or 1900ms, not a list"}},
		{"dedupe_window_zero", []string{"4: dedupe.window: must be above 0"}},
		{"directive", []string{"1: must not hold YAML directives"}},
		{"directive_tag", []string{"1: must not hold YAML directives"}},
		{"document_after_end", []string{"4: must hold one YAML document, and another begins here"}},
		{"duplicate_key", []string{"6: webhook.path: is already set on line 4"}},
		{"duplicate_section", []string{"7: webhook: is already set on line 3"}},
		{"empty", []string{"1: apps: at least one app is needed"}},
		{"histograms_not_bool", []string{
			`4: histograms.classic: must be true or false, not text "true"`,
			`5: histograms.native: must be true or false, not text "yes"`,
		}},
		{"histograms_off", []string{"3: histograms: classic and native must not both be false"}},
		{"many_at_once", []string{
			"3: relay.timeout: must be above 0 and below the 2s that the sender waits",
			`4: relay.unverified: must be reject or forward, not "sometimes"`,
			"6: webhook.port: unknown key",
			"8: apps[0].sdk_app_id: must be a whole number from 1 to 18446744073709551615, not 0",
			`9: apps[0].token_files[0]: "missing.token" cannot be read: no such file or directory`,
			`10: apps[1].sdk_app_id: must be a whole number, not text "one"`,
			"11: apps[2]: must be a mapping of keys to values, not text",
			"13: categories.limit: must not be negative",
		}},
		{"long_text", []string{
			`3: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…": unknown key`,
			`5: relay.unverified: must be reject or forward, not "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé…"`,
		}},
		{"max_body_bytes_too_large", []string{"4: webhook.max_body_bytes: must be from 1 to 67108864, not 9223372036854775807"}},
		{"max_body_bytes_unit", []string{`4: webhook.max_body_bytes: must be a whole number, not text "1MiB"`}},
		{"max_body_bytes_zero", []string{"4: webhook.max_body_bytes: must be from 1 to 67108864, not 0"}},
		{"merge_key", []string{`4: relay."<<": unknown key`}},
		{"new_series_hold_negative", []string{"4: metrics.new_series_hold: must not be negative"}},
		{"new_series_hold_no_unit", []string{`4: metrics.new_series_hold: must be a duration such as 24h or 1900ms, not "30"`}},
		{"not_a_mapping", []string{"1: must be a mapping of keys to values, not a list"}},
		{"not_utf8", []string{"5: must be UTF-8 text"}},
		{"only_comments", []string{"1: apps: at least one app is needed"}},
		{"relay_max_in_flight", []string{"4: relay.max_in_flight: must be above 0"}},
		{"relay_timeout_not_duration", []string{`4: relay.timeout: must be a duration such as 24h or 1900ms, not "soon"`}},
		{"relay_timeout_too_long", []string{"4: relay.timeout: must be above 0 and below the 2s that the sender waits"}},
		{"relay_timeout_zero", []string{"4: relay.timeout: must be above 0 and below the 2s that the sender waits"}},
		{"relay_tls_key_alone", []string{"5: relay.tls_config: exactly one of cert or cert_file must be configured when a client key is configured"}},
		{"relay_tls_missing_ca", []string{"5: relay.tls_config: unable to read CA cert: unable to read file testdata/bad/nowhere.pem: open testdata/bad/nowhere.pem: no such file or directory"}},
		{"relay_unverified", []string{`4: relay.unverified: must be reject or forward, not "maybe"`}},
		{"relay_url_fragment", []string{"4: relay.url: must have no query or fragment"}},
		{"relay_url_no_host", []string{"4: relay.url: must have a host"}},
		{"relay_url_no_scheme", []string{"4: relay.url: must begin with http://, https:// or unix:/"}},
		{"relay_url_path", []string{"4: relay.url: must have no path: requests keep theirs"}},
		{"relay_url_port", []string{"4: relay.url: must have a port from 1 to 65535"}},
		{"relay_url_query", []string{"4: relay.url: must have no query or fragment"}},
		{"relay_url_scheme", []string{"4: relay.url: must begin with http://, https:// or unix:/"}},
		{"relay_url_unix_host", []string{"4: relay.url: must name a socket by its absolute path, such as unix:/run/app.sock"}},
		{"relay_url_unix_relative", []string{"4: relay.url: must name a socket by its absolute path, such as unix:/run/app.sock"}},
		{"relay_url_unparsable", []string{"4: relay.url: is not a URL"}},
		{"relay_url_user", []string{"4: relay.url: must have no user or password"}},
		{"sdk_app_id_duplicate", []string{"4: apps[2].sdk_app_id: 1400000001 is already used on line 2"}},
		{"sdk_app_id_fraction", []string{
			"2: apps[0].sdk_app_id: must be a whole number from 1 to 18446744073709551615, not 1400000001.5",
			"3: apps[1].sdk_app_id: must be a whole number from 1 to 18446744073709551615, not 1.4e9",
		}},
		{"sdk_app_id_missing", []string{"3: apps[1].sdk_app_id: is missing"}},
		{"sdk_app_id_negative", []string{"2: apps[0].sdk_app_id: must be a whole number from 1 to 18446744073709551615, not -1400000001"}},
		{"sdk_app_id_octal", []string{"2: apps[0].sdk_app_id: must be a whole number in plain decimal digits, not 01400000001"}},
		{"sdk_app_id_text", []string{`2: apps[0].sdk_app_id: must be a whole number, not text "1400000001"`}},
		{"sdk_app_id_too_large", []string{"2: apps[0].sdk_app_id: must be a whole number from 1 to 18446744073709551615, not 18446744073709551616"}},
		{"sdk_app_id_zero", []string{"2: apps[0].sdk_app_id: must be a whole number from 1 to 18446744073709551615, not 0"}},
		{"syntax", []string{"4: is not valid YAML: sequence end token ']' not found"}},
		{"syntax_indentation", []string{"4: is not valid YAML: mapping value is not allowed in this context"}},
		{"syntax_tab", []string{"4: is not valid YAML: found character '\t' that cannot start any token"}},
		{"tag", []string{"4: relay.timeout: must be a duration such as 24h or 1900ms, not a tag"}},
		{"token_file_empty", []string{`3: apps[0].token_files[0]: "empty.token" is empty`}},
		{"token_file_empty_path", []string{"3: apps[0].token_files[0]: must not be empty"}},
		{"token_file_far_too_long", []string{`3: apps[0].token_files[0]: "huge.token" is larger than 4096 bytes`}},
		{"token_file_folder", []string{`3: apps[0].token_files[0]: "." is not a regular file`}},
		{"token_file_missing", []string{`5: apps[0].token_files[1]: "missing.token" cannot be read: no such file or directory`}},
		{"token_file_too_long", []string{`3: apps[0].token_files[0]: "long.token" holds a token longer than 128 characters`}},
		{"token_file_two_lines", []string{`3: apps[0].token_files[0]: "two_lines.token" must hold one line of printable text`}},
		{"token_file_utf16", []string{`3: apps[0].token_files[0]: "utf16.token" must hold one line of printable text`}},
		{"token_files_not_a_list", []string{"3: apps[0].token_files: must be a list, not text"}},
		{"token_files_not_text", []string{
			"3: apps[0].token_files[0]: must be text, not the number 12",
			"3: apps[0].token_files[1]: must be text, not null",
			"3: apps[0].token_files[2]: must be text, not a list",
		}},
		{"two_documents", []string{"3: must hold one YAML document, and another begins here"}},
		{"unknown_key", []string{"3: webhooks: unknown key"}},
		{"unknown_key_deep", []string{
			"3: apps[0].token_file: unknown key",
			"6: histograms.buckets.coins: unknown key",
		}},
		{"unknown_key_odd", []string{
			`3: "two\nlines": unknown key`,
			`4: "Apps.x": unknown key`,
			`5: "webhook.path": unknown key`,
		}},
		{"webhook_null_item", []string{"3: webhook: must be a mapping of keys to values, not a list"}},
		{"webhook_path_asterisk", []string{"4: webhook.path: must not hold : or *"}},
		{"webhook_path_block", []string{"4: webhook.path: must be text, not a block of text"}},
		{"webhook_path_characters", []string{"4: webhook.path: must not hold a space or any of ! $ & ?, which the sender does not accept"}},
		{"webhook_path_colon", []string{"4: webhook.path: must not hold : or *"}},
		{"webhook_path_empty", []string{"4: webhook.path: must start with /"}},
		{"webhook_path_escapes", []string{"4: webhook.path: must not hold characters that a URL would have to escape"}},
		{"webhook_path_relative", []string{"4: webhook.path: must start with /"}},
		{"webhook_path_unclean", []string{"4: webhook.path: must be written without empty, . and .. parts: /a/c/"}},
	}
}

type badFile struct {
	name  string
	lines []string
}

func TestLoadBad(t *testing.T) {
	t.Parallel()
	var named []string
	for _, test := range bad() {
		path := "testdata/bad/" + test.name + ".yml"
		named = append(named, path)
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg, err := Load(path)
			if err == nil {
				t.Fatalf("got %+v and no error", cfg)
			}
			want := path + ":" + strings.Join(test.lines, "\n"+path+":")
			if err.Error() != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(named)
	if !slices.Equal(files, named) {
		t.Errorf("testdata/bad has %q, the test %q", files, named)
	}
}
