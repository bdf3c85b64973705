package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// garbageRoom is how many bytes of garbage may gather before they are collected, also
	// when less is in use: left alone, Go would collect what requests leave behind dozens
	// of times a second under load, for a few megabytes in use each time.
	garbageRoom = 16 << 20
	// Of GOGC: the least is Go's default, the most is what garbageRoom asks of a heap with
	// next to nothing in use, for which Go has 4 MiB.
	leastGCPercent = 100
	mostGCPercent  = 400
)

// spaceCollections keeps the garbage collector at what garbageRoom asks for, collection
// by collection. GOGC in the environment stands above that.
func spaceCollections() {
	if os.Getenv("GOGC") != "" {
		return
	}
	percent := mostGCPercent
	debug.SetGCPercent(percent)
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var adjust func(struct{})
	atNextCollection := func() {
		type unused [64]byte // so large that it shares its memory with nothing in use
		runtime.AddCleanup(new(unused), adjust, struct{}{})
	}
	adjust = func(struct{}) {
		metrics.Read(inUse)
		if p := gcPercent(inUse[0].Value.Uint64()); p != percent {
			percent = p
			debug.SetGCPercent(percent)
		}
		atNextCollection()
	}
	atNextCollection()
}

// gcPercent returns what to set GOGC to for so many bytes in use. It has few values, since
// each change stops everything for a moment.
func gcPercent(inUse uint64) int {
	const step = 50
	percent := garbageRoom * 100 / int(max(inUse, 1)) / step * step
	return min(max(percent, leastGCPercent), mostGCPercent)
}
