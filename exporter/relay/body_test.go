package relay_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
)

var errBroken = errors.New("the connection broke")

// drip gives its content in pieces of drawn sizes, some of them empty, and then an
// error, with the last piece or alone.
type drip struct {
	content  []byte
	pieces   []int
	err      error
	together bool
}

func (d *drip) Read(p []byte) (int, error) {
	n := len(d.content)
	if len(d.pieces) > 0 {
		n, d.pieces = min(n, d.pieces[0]), d.pieces[1:]
	}
	n = copy(p, d.content[:n])
	d.content = d.content[n:]
	if len(d.content) == 0 && (d.together || n == 0) {
		return n, d.err
	}
	return n, nil
}

// TestBody lets several readers and ReadAll take turns: each sees what a plain reader of
// the same source would, and beyond what is kept only the first does.
func TestBody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		content := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "content"), rapid.IntRange(1, 50).Draw(t, "times"))
		end := rapid.SampledFrom([]error{io.EOF, errBroken}).Draw(t, "end")
		keep := rapid.Int64Range(0, int64(len(content)+100)).Draw(t, "keep")
		limit := rapid.Int64Range(0, keep).Draw(t, "limit")
		body := relay.KeepBody(&drip{
			content:  content,
			pieces:   rapid.SliceOfN(rapid.IntRange(0, 3000), 0, 20).Draw(t, "pieces"),
			err:      end,
			together: rapid.Bool().Draw(t, "together"),
		}, keep)

		type reading struct {
			reader io.Reader
			got    []byte
			err    error
		}
		var readings []*reading
		passed := false // bytes are gone that were not kept
		turn := map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				reader, err := body.Reader()
				switch {
				case passed && err == nil, !passed && err != nil, err != nil && !errors.Is(err, relay.ErrBodyTooLarge):
					t.Fatalf("Reader: %v, with bytes gone: %t", err, passed)
				case err == nil:
					readings = append(readings, &reading{reader: reader})
				}
			},
			"read": func(t *rapid.T) {
				if len(readings) == 0 {
					return
				}
				r := readings[rapid.IntRange(0, len(readings)-1).Draw(t, "reader")]
				p := make([]byte, rapid.IntRange(0, 4000).Draw(t, "size"))
				n, err := r.reader.Read(p)
				if r.err != nil && (n > 0 || err == nil) {
					t.Fatalf("after %v: %d, %v", r.err, n, err)
				}
				r.got, r.err = append(r.got, p[:n]...), err
				// Of several readers that are that far, one gets what comes.
				if int64(len(r.got)) > keep+1 {
					passed = true
				}
			},
			"read all": func(t *rapid.T) {
				got, err := body.ReadAll(limit)
				switch {
				case int64(len(content)) > limit:
					if !errors.Is(err, relay.ErrBodyTooLarge) && !(end == errBroken && errors.Is(err, errBroken)) {
						t.Fatalf("ReadAll of %d bytes up to %d: %v", len(content), limit, err)
					}
				case end == io.EOF && (err != nil || !bytes.Equal(got, content)):
					t.Fatalf("ReadAll: %d bytes, %v, want %d", len(got), err, len(content))
				case end != io.EOF && !errors.Is(err, end):
					t.Fatalf("ReadAll: %v, want %v", err, end)
				}
			},
		}
		turn[""] = func(t *rapid.T) {
			for i, r := range readings {
				if int64(len(r.got)) <= keep+1 && !bytes.HasPrefix(content, r.got) {
					t.Fatalf("reader %d: %d bytes that are no beginning", i, len(r.got))
				}
				if r.err != nil && r.err != end {
					t.Fatalf("reader %d: %v, want %v", i, r.err, end)
				}
				if r.err != nil && !passed && !bytes.Equal(r.got, content) {
					t.Fatalf("reader %d: ended after %d bytes of %d", i, len(r.got), len(content))
				}
			}
		}
		t.Repeat(turn)

		// What readers got beyond what was kept adds up to the rest, each byte once.
		if len(readings) == 0 {
			return
		}
		beyond := 0
		for _, r := range readings {
			for r.err == nil {
				p := make([]byte, 1000)
				n, err := r.reader.Read(p)
				r.got, r.err = append(r.got, p[:n]...), err
			}
			if r.err != end {
				t.Fatalf("ended with %v, want %v", r.err, end)
			}
			kept := min(len(content), int(keep)+1)
			if len(r.got) < kept || !bytes.Equal(r.got[:kept], content[:kept]) {
				t.Fatalf("%d bytes, the %d kept are not all among them", len(r.got), kept)
			}
			beyond += len(r.got) - kept
		}
		if want := max(0, len(content)-int(keep)-1); beyond != want {
			t.Fatalf("%d bytes beyond those kept, want %d", beyond, want)
		}
	})
}

// TestBodyOfOneReader: a single reader sees the plain reader's bytes, however few are kept.
func TestBodyOfOneReader(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		content := bytes.Repeat([]byte("0123456789"), rapid.IntRange(0, 20_000).Draw(t, "length"))
		body := relay.KeepBody(&drip{content: content, err: io.EOF}, rapid.Int64Range(0, 70_000).Draw(t, "keep"))
		reader, err := body.Reader()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d bytes, %v, want %d", len(got), err, len(content))
		}
	})
}

func TestBodyAtOnce(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("content", 30_000)
	body := relay.KeepBody(strings.NewReader(content), int64(len(content)))
	ended := make(chan string)
	for range 8 {
		reader, err := body.Reader()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			got, _ := io.ReadAll(reader) // an error shows in what is missing
			ended <- string(got)
		}()
		go func() {
			got, _ := body.ReadAll(int64(len(content)))
			ended <- string(got)
		}()
	}
	for range 16 {
		if got := <-ended; got != content {
			t.Errorf("%d bytes, want %d", len(got), len(content))
		}
	}
}

func TestClosedReaderOfBody(t *testing.T) {
	t.Parallel()
	body := relay.KeepBody(strings.NewReader("content"), 100)
	first, err := body.Reader()
	if err != nil {
		t.Fatal(err)
	}
	second, err := body.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := first.Read(make([]byte, 10)); n > 0 || err == nil || err == io.EOF {
		t.Errorf("closed: %d, %v", n, err)
	}
	if got, err := io.ReadAll(second); err != nil || string(got) != "content" {
		t.Errorf("the other one: %q, %v", got, err)
	}
}

// TestBodyOfRequestWithout: a request without a body has nothing to wait for.
func TestBodyOfRequestWithout(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]*http.Request{
		"none":  {},
		"empty": {Body: http.NoBody},
	} {
		body := relay.NewBody(request, 0)
		if got, err := body.ReadAll(10); err != nil || len(got) > 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
