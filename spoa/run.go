package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/agent"
	"github.com/guard-proxy/guard-proxy/spoa/config"
	"github.com/guard-proxy/guard-proxy/spoa/control"
	"github.com/guard-proxy/guard-proxy/spoa/listen"
	"github.com/guard-proxy/guard-proxy/spoa/spop"
	"github.com/guard-proxy/guard-proxy/spoa/telemetry"
	"github.com/guard-proxy/guard-proxy/spoa/waf"
)

// validate is `-validate`: it binds nothing and opens no log.
func validate(o *options, log *slog.Logger) error {
	cfg, err := config.Load(o.config)
	if err != nil {
		return err
	}
	reg := waf.NewRegistry(log, runtime.NumCPU())
	if err := reg.Replace(context.Background(), cfg.Definitions(), cfg.DefaultApplication, o.ruleOptions()); err != nil {
		return err
	}
	log.Info("Configuration file is valid", "applications", reg.Count())
	return nil
}

func (o *options) ruleOptions() waf.Options { return waf.Options{AllowOSIncludes: !o.strict} }

func (o *options) info(role string) control.Info {
	return control.Info{
		Version: version, CorazaVersion: corazaVersion(), CRSVersion: crsVersion(), Role: role,
		StartedAt: time.Now(), MaxFrameSize: uint32(o.maxFrameSize), Config: o.config,
	}
}

func runAgent(ctx context.Context, o *options, log *slog.Logger, level *slog.LevelVar) error {
	cfg, err := config.Load(o.config)
	if err != nil {
		return err
	}
	level.Set(cfg.Level())
	for _, w := range cfg.Warnings() {
		log.Warn(w)
	}
	metrics := telemetry.NewMetrics(version)
	events, err := telemetry.OpenEventLog(o.eventLog, log)
	if err != nil {
		return fmt.Errorf("-event-log: %w", err)
	}
	reg := waf.NewRegistry(log, max(1, runtime.NumCPU()))
	reg.ObserveLoads(metrics.Load)
	engine := waf.NewEngine(reg, waf.Limits{
		Evaluations: o.maxEvaluations, Queue: o.maxQueue, QueueTimeout: o.queueTimeout, Slow: o.slow,
	}, log, metrics, func(ev *waf.Event) {
		line, err := ev.Line()
		if err != nil {
			log.Error("encoding an event failed", "id", ev.ID, "error", err)
			return
		}
		events.Write(line)
	})
	if err := reg.Replace(ctx, cfg.Definitions(), cfg.DefaultApplication, o.ruleOptions()); err != nil {
		return err
	}
	// Not ctx: what waits for its turn when SIGTERM comes is still judged, within the time to drain.
	handler := agent.New(context.Background(), engine, log, metrics.Fault)
	server := spop.NewServer(handler, spop.Config{
		MaxFrameSize: uint32(o.maxFrameSize), IdleTimeout: o.idleTimeout, Logger: log,
	})
	metrics.Register(telemetry.Gauges{
		InFlight: asFloat(engine.Running), Waiting: asFloat(engine.Waiting),
		Applications:  func() float64 { return float64(reg.Count()) },
		Connections:   func() float64 { return float64(server.Connections()) },
		EventsDropped: asFloat(events.Dropped), EventsWritten: asFloat(events.Written),
	})

	// The control socket first: it is the cheaper one to lose if the second bind fails.
	var closers []func(context.Context)
	errs := make(chan error, 3)
	serve := func(l net.Listener, f func(net.Listener) error) { go func() { errs <- f(l) }() }
	if o.control != "" {
		l, err := listen.Unix(o.control, 0o600)
		if err != nil {
			return fmt.Errorf("-control: %w", err)
		}
		srv := control.New(control.Options{
			Info: o.info(control.RoleAgent), Engine: engine, TestFaults: o.testFaults, Metrics: metrics.Handler(), Logger: log,
		})
		serve(l, srv.Serve)
		closers = append(closers, func(ctx context.Context) { _ = srv.Shutdown(ctx) })
	}
	if o.metricsAddr != "" {
		l, err := net.Listen("tcp", o.metricsAddr)
		if err != nil {
			return fmt.Errorf("-metrics-addr: %w", err)
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", metrics.Handler())
		srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		serve(l, srv.Serve)
		closers = append(closers, func(ctx context.Context) { _ = srv.Shutdown(ctx) })
	}
	l, err := listen.Open(cfg.Bind, o.socketMode)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	serve(l, server.Serve)
	stopReload := onHangup(func() { reload(cfg.Bind, o, reg, events, log, level) })
	defer stopReload()
	log.Info("agent ready", "bind", cfg.Bind, "control", o.control, "applications", reg.Count(), "version", version,
		"max_evaluations", o.maxEvaluations, "max_frame_size", o.maxFrameSize)

	return serveUntil(ctx, func() error { return <-errs }, func() {
		end, cancel := context.WithTimeout(context.Background(), o.drain)
		defer cancel()
		if err := server.Shutdown(end); err != nil {
			log.Warn("requests were still in work", "in_flight", reg.InFlight())
		}
		for _, f := range closers {
			f(end)
		}
		events.Close(time.Second)
		log.Info("agent stopped")
	})
}

// serveUntil runs f until it fails, or until ctx ends; then it runs stop.
func serveUntil(ctx context.Context, f func() error, stop func()) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err == nil {
			err = errors.New("a listener ended")
		}
		return err
	case <-ctx.Done():
		stop()
		return nil
	}
}

// reload is all or nothing, like stock's: on any error everything stays as it is.
func reload(bind string, o *options, reg *waf.Registry, events *telemetry.EventLog, log *slog.Logger, level *slog.LevelVar) {
	if err := events.Reopen(); err != nil {
		log.Error("reopening the event log failed", "error", err)
	}
	cfg, err := config.Load(o.config)
	if err == nil && cfg.Bind != bind {
		err = errors.New("changing bind is not supported")
	}
	if err == nil {
		err = reg.Replace(context.Background(), cfg.Definitions(), cfg.DefaultApplication, o.ruleOptions())
	}
	if err != nil {
		for _, e := range each(err) {
			log.Error("Failed to reload configuration, using old configuration", "error", e.Error())
		}
		return
	}
	level.Set(cfg.Level())
	log.Info("Configuration successfully reloaded", "applications", reg.Count())
}

func onHangup(f func()) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			f()
		}
	}()
	return func() { signal.Stop(hangups) }
}

func asFloat(f func() int64) func() float64 { return func() float64 { return float64(f()) } }
