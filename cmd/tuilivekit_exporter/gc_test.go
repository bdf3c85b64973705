package main

import "testing"

func TestGCPercent(t *testing.T) {
	t.Parallel()
	for inUse, want := range map[uint64]int{
		0:                   400,
		1 << 20:             400,
		garbageRoom / 4:     400,
		garbageRoom / 3:     300,
		garbageRoom / 2:     200,
		garbageRoom * 2 / 3: 150,
		garbageRoom:         100,
		10 * garbageRoom:    100, // not less than Go's default, however much is in use
	} {
		if got := gcPercent(inUse); got != want {
			t.Errorf("with %d bytes in use it is %d, want %d", inUse, got, want)
		}
	}
}
