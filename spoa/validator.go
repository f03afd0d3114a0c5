package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/control"
	"github.com/guard-proxy/guard-proxy/spoa/listen"
	"github.com/guard-proxy/guard-proxy/spoa/telemetry"
)

// Limits of a validator's memory. The first is the collector's, unless -memory-limit or GOMEMLIMIT says
// otherwise. Beyond the second the process ends, and its supervisor starts a new one.
const (
	validatorMemoryLimit = "1GiB"
	validatorMaxRSS      = 2 << 30
)

// errRecycle is the wish of a validator to be started anew: exit code 3.
var errRecycle = errors.New("the validator ends to be started anew")

func (o *options) effectiveMemoryLimit() string {
	if o.memoryLimit == "" && o.validator && os.Getenv("GOMEMLIMIT") == "" {
		return validatorMemoryLimit
	}
	return o.memoryLimit
}

func runValidator(ctx context.Context, o *options, log *slog.Logger) error {
	metrics := telemetry.NewMetrics(version)
	recycle := make(chan string, 1)
	srv := control.New(control.Options{
		Info: o.info(control.RoleValidator), Validations: 2, ValidationTimeout: o.validationTimeout,
		Recycle: func(reason string) {
			select {
			case recycle <- reason:
			default:
			}
		},
		MemoryExceeded: func() bool { return exceeds(o.validatorMaxRSS, residentMemory) },
		Metrics:        metrics.Handler(), Logger: log,
	})
	l, err := listen.Unix(o.control, 0o600)
	if err != nil {
		return err
	}
	log.Info("validator ready", "control", o.control, "version", version)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case reason := <-recycle:
			log.Warn("validator ends to be started anew", "reason", reason)
			cancel(errRecycle)
		case <-ctx.Done():
		}
	}()
	err = serveUntil(ctx, func() error { return srv.Serve(l) }, func() {
		wait := time.Second
		if context.Cause(ctx) == errRecycle {
			wait += o.validationTimeout // nobody is in a hurry: others get their answers
		}
		end, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		_ = srv.Shutdown(end)
	})
	if err == nil && context.Cause(ctx) == errRecycle {
		return errRecycle
	}
	return err
}

// exceeds asks for the memory, and once more after what is free has been returned to the system.
func exceeds(limit int64, memory func() int64) bool {
	if memory() <= limit {
		return false
	}
	debug.FreeOSMemory()
	return memory() > limit
}

// residentMemory is the RSS of this process; 0 where the system does not tell.
func residentMemory() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
