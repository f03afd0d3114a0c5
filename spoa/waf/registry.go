package waf

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNotFound means that no application has this name.
var ErrNotFound = errors.New("no such application")

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

// ValidName tells whether a name can be an application's.
func ValidName(name string) bool { return nameForm.MatchString(name) }

// Registry holds the applications. Lookups never wait: they read a map that nobody changes. A change makes a
// new map.
type Registry struct {
	log      *slog.Logger
	apps     atomic.Pointer[map[string]*Application]
	fallback atomic.Pointer[string] // default_application

	mu       sync.Mutex // of writers
	draining map[*Application]struct{}

	names    [64]sync.Mutex // loads of one name happen one after another
	compiles chan struct{}  // loads share the machine with the requests
	observe  func(time.Duration)

	trimmed atomic.Int64
}

// NewRegistry makes an empty registry that compiles at most `compiles` texts at once.
func NewRegistry(log *slog.Logger, compiles int) *Registry {
	r := &Registry{log: log, draining: map[*Application]struct{}{}, compiles: make(chan struct{}, max(1, compiles))}
	r.apps.Store(&map[string]*Application{})
	r.observe = func(time.Duration) {}
	return r
}

// ObserveLoads has f told how long each load took. Call it before the first load.
func (r *Registry) ObserveLoads(f func(time.Duration)) { r.observe = f }

// acquire finds an application and counts the caller in. The caller releases it.
func (r *Registry) acquire(name string) *Application {
	for {
		apps := *r.apps.Load()
		app := apps[name]
		if app == nil {
			if fallback := r.fallback.Load(); fallback != nil {
				app = apps[*fallback]
			}
		}
		if app == nil || app.acquire() {
			return app
		}
		// Retired between the two steps: the map has changed, look again.
		runtime.Gosched()
	}
}

// Count is the number of serving applications.
func (r *Registry) Count() int { return len(*r.apps.Load()) }

// InFlight is the number of transactions in work, those of draining applications included.
func (r *Registry) InFlight() int64 {
	var n int64
	for _, a := range r.List() {
		n += a.InFlight()
	}
	return n
}

// List is all applications by name; draining ones come behind the one that serves.
func (r *Registry) List() []*Application {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.AppendSeq(slices.Collect(maps.Values(*r.apps.Load())), maps.Keys(r.draining))
	slices.SortFunc(out, func(a, b *Application) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return b.LoadedAt.Compare(a.LoadedAt)
	})
	return out
}

// Draining tells whether the application only finishes what it began.
func (a *Application) Draining() bool { return a.retired.Load() }

// Put loads a text under a name and replaces what was there, whose transactions end undisturbed. The same
// text again changes nothing. Errors of the text are *LoadError.
func (r *Registry) Put(ctx context.Context, name string, source Source, text string, opt Options) (app *Application, replaced bool, err error) {
	lock := &r.names[hash(name)%uint32(len(r.names))]
	lock.Lock()
	defer lock.Unlock()
	if old := (*r.apps.Load())[name]; old != nil && old.Digest == Digest(text) {
		return old, false, nil
	}
	loaded, err := r.compile(ctx, text, opt)
	if err != nil {
		return nil, false, err
	}
	app = newApplication(name, source, loaded)
	r.mu.Lock()
	next := maps.Clone(*r.apps.Load())
	old := next[name]
	next[name] = app
	r.apps.Store(&next)
	r.retireLocked(old)
	r.mu.Unlock()
	r.log.Info("application loaded", "application", name, "digest", loaded.Digest, "rules", loaded.RuleCount,
		"took_ms", loaded.Took.Milliseconds(), "replaced", old != nil)
	return app, old != nil, nil
}

func (r *Registry) compile(ctx context.Context, text string, opt Options) (*Loaded, error) {
	select {
	case r.compiles <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-r.compiles }()
	begin := time.Now()
	loaded, err := Load(text, opt)
	r.observe(time.Since(begin))
	return loaded, err
}

// Delete takes an application off the map at once and waits for its transactions. It reports false when ctx
// ends first; the rest then happens in the background.
func (r *Registry) Delete(ctx context.Context, name string) (drained bool, err error) {
	r.mu.Lock()
	next := maps.Clone(*r.apps.Load())
	app := next[name]
	if app == nil {
		r.mu.Unlock()
		return false, ErrNotFound
	}
	delete(next, name)
	r.apps.Store(&next)
	closed := r.retireLocked(app)
	r.mu.Unlock()
	select {
	case <-closed:
		return true, nil
	case <-ctx.Done():
		return false, nil
	}
}

// retireLocked lets an application drain and closes it then. The caller holds mu and has taken it off the map.
func (r *Registry) retireLocked(app *Application) <-chan struct{} {
	closed := make(chan struct{})
	if app == nil {
		close(closed)
		return closed
	}
	r.draining[app] = struct{}{}
	app.retire()
	go func() {
		<-app.drained
		if err := app.Close(); err != nil {
			r.log.Error("closing an application failed", "application", app.Name, "error", err)
		}
		r.mu.Lock()
		delete(r.draining, app)
		r.mu.Unlock()
		r.log.Info("application unloaded", "application", app.Name, "digest", app.Digest)
		close(closed)
		r.trim()
	}()
	return closed
}

// trim returns memory to the system after unloading, at most every 30 seconds: with GOGC at 400 the collector
// alone would leave it for long.
func (r *Registry) trim() {
	now := time.Now().UnixNano()
	last := r.trimmed.Load()
	if now-last < int64(30*time.Second) || !r.trimmed.CompareAndSwap(last, now) {
		return
	}
	debug.FreeOSMemory()
}

// Definition is an application as a configuration file has it.
type Definition struct {
	Name       string
	Directives string
}

// Replace makes the applications from a file be exactly those in defs: all or nothing. Applications from the
// control socket stay, unless the file has one of the same name.
func (r *Registry) Replace(ctx context.Context, defs []Definition, fallback string, opt Options) error {
	current := *r.apps.Load()
	fresh := make([]*Application, len(defs))
	errs := make([]error, len(defs))
	var wg sync.WaitGroup
	for i, d := range defs {
		if old := current[d.Name]; old != nil && old.Source == SourceFile && old.Digest == Digest(d.Directives) {
			continue
		}
		wg.Go(func() {
			loaded, err := r.compile(ctx, d.Directives, opt)
			if err != nil {
				errs[i] = fmt.Errorf("application %q: %w", d.Name, err)
				return
			}
			fresh[i] = newApplication(d.Name, SourceFile, loaded)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		for _, app := range fresh {
			if app != nil {
				_ = app.Close()
			}
		}
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.apps.Load()
	next := maps.Clone(old)
	wanted := map[string]bool{}
	for i, d := range defs {
		wanted[d.Name] = true
		if fresh[i] != nil {
			next[d.Name] = fresh[i]
			for _, f := range fresh[i].Findings {
				r.log.Warn("finding", "application", d.Name, "code", f.Code, "line", f.Line, "message", f.Message)
			}
		}
	}
	for name, app := range next {
		if app.Source == SourceFile && !wanted[name] {
			delete(next, name)
		}
	}
	r.apps.Store(&next)
	r.fallback.Store(nil)
	if fallback != "" {
		r.fallback.Store(&fallback)
	}
	for name, app := range old {
		if next[name] != app {
			r.retireLocked(app)
		}
	}
	return nil
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return h.Sum32()
}
