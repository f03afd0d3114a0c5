// Command guard-spoa is an agent for HAProxy's Stream Processing Offload Engine that judges requests with
// Coraza. It takes the place of coraza-spoa with the same configuration file, and adds a control socket over
// which applications are loaded, replaced and unloaded while it serves.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// version is set by the linker: -ldflags "-X main.version=…".
var version = "0.1.0-dev"

// options are the flags.
type options struct {
	config, control, eventLog, metricsAddr string
	validate, validator, strict            bool
	testFaults, showVersion                bool
	maxFrameSize                           uint
	maxEvaluations, maxQueue               int
	queueTimeout, idleTimeout, drain       time.Duration
	validationTimeout, slow                time.Duration
	memoryLimit                            string
	validatorMaxRSS                        int64
	socketMode                             fs.FileMode
}

func parseFlags(args []string) (*options, error) {
	o := &options{socketMode: 0o600, validatorMaxRSS: validatorMaxRSS}
	f := flag.NewFlagSet("guard-spoa", flag.ContinueOnError)
	f.StringVar(&o.config, "config", "", "configuration `file` (YAML, as coraza-spoa's)")
	f.BoolVar(&o.validate, "validate", false, "validate the configuration file and exit")
	f.Bool("autoreload", false, "accepted for compatibility and ignored: send SIGHUP or use the control socket")
	f.StringVar(&o.metricsAddr, "metrics-addr", "", "`address` for GET /metrics (also on the control socket)")
	f.BoolVar(&o.showVersion, "version", false, "print versions and exit")
	f.StringVar(&o.control, "control", "", "`path` of the control socket (mode 0600)")
	f.BoolVar(&o.validator, "validator", false, "only validate rules on the control socket, serve no requests")
	f.BoolVar(&o.strict, "strict", false, "allow includes of embedded files only, in the configuration file too")
	f.UintVar(&o.maxFrameSize, "max-frame-size", 4<<20+64<<10, "largest SPOP frame in `bytes`; the smaller of this and HAProxy's holds")
	f.IntVar(&o.maxEvaluations, "max-evaluations", max(2, runtime.NumCPU()), "evaluations at the same time")
	f.IntVar(&o.maxQueue, "max-queue", 1024, "requests that may wait for an evaluation")
	f.DurationVar(&o.queueTimeout, "queue-timeout", 1800*time.Millisecond, "answer `overload` to a request that waited longer; below HAProxy's `timeout processing`")
	f.DurationVar(&o.slow, "slow-evaluation", 2*time.Second, "an application with three evaluations in a row that take longer is answered `overload` for 5s; 0 never")
	f.DurationVar(&o.idleTimeout, "idle-timeout", 30*time.Minute, "close an SPOP connection without requests; above HAProxy's `timeout idle`")
	f.DurationVar(&o.drain, "drain-timeout", 5*time.Second, "how long requests in work are waited for at SIGTERM")
	f.DurationVar(&o.validationTimeout, "validation-timeout", 5*time.Second, "answer 422 `too-expensive` to a text that compiles longer (-validator)")
	f.StringVar(&o.eventLog, "event-log", "", "`file` for one JSON line a transaction with a match (default stdout); reopened at SIGHUP")
	f.StringVar(&o.memoryLimit, "memory-limit", "", "soft limit of memory as GOMEMLIMIT has it, e.g. 512MiB (default 1GiB with -validator)")
	f.BoolVar(&o.testFaults, "test-faults", false, "let the control socket make this agent misbehave, for tests")
	f.Func("socket-mode", "mode of the SPOP socket, octal (default 0600)", func(s string) error {
		n, err := strconv.ParseUint(s, 8, 9)
		o.socketMode = fs.FileMode(n)
		return err
	})
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.showVersion:
	case o.validator && o.control == "":
		return nil, fmt.Errorf("-validator needs -control")
	case o.config == "" && !o.validator:
		return nil, fmt.Errorf("-config is missing")
	case o.maxFrameSize < 256 || o.maxFrameSize > 64<<20:
		return nil, fmt.Errorf("-max-frame-size is not in 256 to %d", 64<<20)
	case o.maxEvaluations < 1 || o.maxQueue < 0 || o.slow < 0:
		return nil, fmt.Errorf("-max-evaluations, -max-queue and -slow-evaluation have to be positive")
	}
	return o, nil
}

// Exit codes: what the user can mend is 1, a wrong command line is 2, a validator that wants to be started anew 3.
func main() {
	// A reader of our stdout or stderr that went away must not end the agent; writes fail with EPIPE instead.
	signal.Ignore(syscall.SIGPIPE)
	o, err := parseFlags(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "guard-spoa:", err)
		os.Exit(2)
	}
	level := new(slog.LevelVar)
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if err := tuneMemory(o.effectiveMemoryLimit()); err != nil {
		fmt.Fprintln(os.Stderr, "guard-spoa:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch {
	case o.showVersion:
		fmt.Printf("guard-spoa %s (coraza %s, coreruleset %s, %s)\n", version, corazaVersion(), crsVersion(), runtime.Version())
	case o.validate:
		err = validate(o, log)
	case o.validator:
		err = runValidator(ctx, o, log)
	default:
		err = runAgent(ctx, o, log, level)
	}
	if errors.Is(err, errRecycle) {
		os.Exit(3)
	}
	if err != nil {
		for _, e := range each(err) {
			log.Error("guard-spoa failed", "error", e.Error())
		}
		os.Exit(1)
	}
}

// each takes joined errors apart: one line for each application that is wrong.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
