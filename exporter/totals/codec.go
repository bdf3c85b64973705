package totals

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// Encode writes the view to w, so that Decode restores it exactly. It carries
// neither a checksum nor a version: the file around it does.
func (v View) Encode(w io.Writer) error {
	if err := gob.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("encode totals: %w", err)
	}
	return nil
}

// Decode reads totals that Encode wrote. It returns an error, and no totals,
// when they contradict themselves. r may be read beyond their end.
func Decode(r io.Reader) (*Totals, error) {
	t, err := decode(r)
	if err != nil {
		return nil, fmt.Errorf("decode totals: %w", err)
	}
	return t, nil
}

func decode(r io.Reader) (*Totals, error) {
	var v View
	if err := gob.NewDecoder(r).Decode(&v); err != nil {
		return nil, err
	}
	for _, bounds := range v.Bounds {
		for i := 1; i < len(bounds); i++ {
			if !(bounds[i-1] < bounds[i]) { // nor if one is not a number
				return nil, errors.New("bucket bounds are not ascending")
			}
		}
	}
	t := New(v.Bounds)
	for _, s := range v.Series {
		if _, twice := t.seriesAt[s.Key]; twice || !s.DestroyType.Valid() {
			return nil, fmt.Errorf("series %+v is there twice or has no valid destroy type", s.Key)
		}
		for _, statistic := range room.AllStatistics() {
			h := &s.Histograms[statistic]
			if err := h.check(v.Bounds[statistic]); err != nil {
				return nil, fmt.Errorf("%s of series %+v: %w", statistic, s.Key, err)
			}
			if s.WithoutStatistics > s.Rooms || h.Count > s.Rooms {
				return nil, fmt.Errorf("%s of series %+v: %d observations of %d rooms, %d of them without statistics",
					statistic, s.Key, h.Count, s.Rooms, s.WithoutStatistics)
			}
		}
		t.insertSeries(s)
	}
	for _, m := range v.Memberships {
		if _, twice := t.memberAt[m.MembershipKey]; twice {
			return nil, fmt.Errorf("membership %+v is there twice", m.MembershipKey)
		}
		t.insertMembership(m)
	}
	return t, nil
}

// check returns an error if h can not have come from observations under bounds.
func (h *Histogram) check(bounds []float64) error {
	if len(h.Classic) != len(bounds)+1 || len(h.Exemplars) != len(bounds)+1 {
		return fmt.Errorf("%d buckets and %d exemplars for %d bounds", len(h.Classic), len(h.Exemplars), len(bounds))
	}
	var classic uint64
	for _, n := range h.Classic {
		classic += n
	}
	native := h.Native.Zero
	for _, b := range h.Native.Buckets {
		native += b.Count
	}
	if classic != h.Count || native != h.Count {
		return fmt.Errorf("%d observations, but %d in classic and %d in native buckets", h.Count, classic, native)
	}
	for i, b := range h.Native.Buckets {
		if b.Count == 0 || i > 0 && b.Index <= h.Native.Buckets[i-1].Index {
			return errors.New("native buckets are empty or not ascending")
		}
	}
	if len(h.Native.Buckets) > NativeMaxBuckets || h.Native.Schema > NativeMaxSchema || h.Native.Schema < 0 {
		return fmt.Errorf("%d native buckets of schema %d", len(h.Native.Buckets), h.Native.Schema)
	}
	return nil
}
