package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
)

const (
	outputText = "text"
	outputJSON = "json"

	labelNone = "none"
	// maxTokenLength is the sender's limit.
	maxTokenLength = 128
	// maxRandomSeed keeps a drawn seed exact in every JSON reader.
	maxRandomSeed = 1 << 53
)

// options is the checked command line.
type options struct {
	url           *url.URL
	appIDs        []string
	token         string // empty: requests are not signed
	rooms         uint64 // 0: until stopped
	rate          float64
	concurrency   int
	duplicates    float64
	categories    []category
	retries       int
	timeout       time.Duration
	seed          uint64
	output        string
	otherCommands float64
	roomsFile     string
}

// category is one value of RoomInfo.Category and the label a correct exporter shows for it.
type category struct {
	id    int64
	label string
}

// parseOptions reads the command line. It returns nil options when --help or --version was asked for and has
// been answered on stdout.
func parseOptions(args []string, stdout io.Writer) (*options, error) {
	var (
		opts       options
		rawURL     string
		appIDs     []uint64
		tokenFile  string
		categories []string
		seedSet    bool
		answered   bool
	)
	app := kingpin.New("roomsim", "Sends signed Live.CallbackAfterDestroyRoom webhooks of believable rooms and prints what the totals of a correct exporter must be.")
	app.UsageWriter(stdout)
	app.Terminate(func(int) { answered = true })
	app.Version(version.Print("roomsim"))
	app.HelpFlag.Short('h')

	app.Flag("url", "Where the webhooks go; a path is kept.").Required().StringVar(&rawURL)
	app.Flag("sdk-app-id", "SDKAppID the rooms belong to; repeat to spread them over several.").Default("1400000001").Uint64ListVar(&appIDs)
	app.Flag("token-file", "File with the token each request is signed with; none: no signature.").StringVar(&tokenFile)
	app.Flag("rooms", "Rooms to send; 0: until stopped.").Default("1000").Uint64Var(&opts.rooms)
	app.Flag("rate", "Rooms a second, may be fractional; 0: as fast as they are answered.").Default("0").Float64Var(&opts.rate)
	app.Flag("concurrency", "Rooms under way at once.").Default("8").IntVar(&opts.concurrency)
	app.Flag("duplicates", "Share of rooms whose webhook is sent a second time: at the same moment, right after, or much later.").Default("0.05").Float64Var(&opts.duplicates)
	app.Flag("category", "Category of the rooms as ID or ID=NAME, NAME being the label the exporter shows; repeatable.").Default("1", "2", "3", "4").StringsVar(&categories)
	app.Flag("retries", "How often a webhook that was not acknowledged is sent again.").Default("5").IntVar(&opts.retries)
	app.Flag("timeout", "How long one try waits for its answer.").Default("2s").DurationVar(&opts.timeout)
	app.Flag("seed", "Seed of everything random: the same seed and flags give the same rooms in order. Default: drawn and printed.").IsSetByUser(&seedSet).Uint64Var(&opts.seed)
	app.Flag("output", "Format of the report: text or json.").Default(outputText).EnumVar(&opts.output, outputText, outputJSON)
	app.Flag("other-commands", "Webhooks of other commands mixed in, per room; they must not be counted.").Default("0").Float64Var(&opts.otherCommands)
	app.Flag("rooms-file", "File that gets one JSON line per acknowledged room.").StringVar(&opts.roomsFile)

	_, err := app.Parse(args)
	if answered {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !seedSet {
		opts.seed = rand.Uint64N(maxRandomSeed)
	}
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if opts.url, err = parseURL(rawURL); err != nil {
		return nil, err
	}
	if opts.appIDs, err = parseAppIDs(appIDs); err != nil {
		return nil, err
	}
	if opts.categories, err = parseCategories(categories); err != nil {
		return nil, err
	}
	if tokenFile != "" {
		if opts.token, err = readToken(tokenFile); err != nil {
			return nil, err
		}
	}
	return &opts, nil
}

func (o *options) validate() error {
	switch {
	case math.IsNaN(o.rate) || math.IsInf(o.rate, 0) || o.rate < 0:
		return fmt.Errorf("--rate=%v: must be 0 or more", o.rate)
	case o.concurrency < 1:
		return fmt.Errorf("--concurrency=%d: must be 1 or more", o.concurrency)
	case !(o.duplicates >= 0 && o.duplicates <= 1):
		return fmt.Errorf("--duplicates=%v: must be a share from 0 to 1", o.duplicates)
	case !(o.otherCommands >= 0 && o.otherCommands <= 1000):
		return fmt.Errorf("--other-commands=%v: must be from 0 to 1000 a room", o.otherCommands)
	case o.retries < 0:
		return fmt.Errorf("--retries=%d: must be 0 or more", o.retries)
	case o.timeout <= 0:
		return fmt.Errorf("--timeout=%v: must be more than 0", o.timeout)
	}
	return nil
}

func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("parse --url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("--url=%s: must begin with http:// or https:// and name a host", raw)
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("--url=%s: a path is kept, but a query, fragment or password can't be configured at the sender", raw)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

func parseAppIDs(ids []uint64) ([]string, error) {
	var out []string
	for _, id := range ids {
		text := strconv.FormatUint(id, 10)
		if slices.Contains(out, text) {
			return nil, fmt.Errorf("--sdk-app-id=%s: given twice", text)
		}
		out = append(out, text)
	}
	return out, nil
}

// parseCategories refuses two categories with one label: whether a room under both is one member or two of that
// label is nothing the totals could be sure of. For the same reason `none` and `other` are no names.
func parseCategories(values []string) ([]category, error) {
	var out []category
	for _, value := range values {
		idText, label, named := strings.Cut(value, "=")
		id, err := strconv.ParseInt(idText, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("--category=%s: must be ID or ID=NAME, ID an integer", value)
		}
		if !named {
			label = strconv.FormatInt(id, 10)
		}
		if label == "" || label == labelNone || label == destroyOther {
			return nil, fmt.Errorf("--category=%s: %q can't be a name", value, label)
		}
		for _, c := range out {
			if c.id == id || c.label == label {
				return nil, fmt.Errorf("--category=%s: ID or name given twice", value)
			}
		}
		out = append(out, category{id: id, label: label})
	}
	return out, nil
}

func readToken(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read token file: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", errors.New("read token file: it is empty")
	}
	if len(token) > maxTokenLength {
		return "", fmt.Errorf("read token file: the token has %d characters, at most %d are allowed", len(token), maxTokenLength)
	}
	return token, nil
}
