package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// defaultGOGC trades memory for a third more throughput; GOMEMLIMIT or -memory-limit bounds the memory.
const defaultGOGC = 400

func tuneMemory(limit string) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(defaultGOGC)
	}
	if limit == "" {
		return nil
	}
	n, err := parseBytes(limit)
	if err != nil {
		return fmt.Errorf("-memory-limit: %w", err)
	}
	debug.SetMemoryLimit(n)
	return nil
}

func parseBytes(s string) (int64, error) {
	factor := int64(1)
	for suffix, f := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, factor = rest, f
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(s, "B"), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a number of bytes", s)
	}
	return n * factor, nil
}

func corazaVersion() string { return moduleVersion("github.com/corazawaf/coraza/v3") }

func crsVersion() string { return moduleVersion("github.com/corazawaf/coraza-coreruleset/v4") }

// moduleVersion asks the binary itself, so that the answer cannot differ from what was built.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return "unknown"
}
