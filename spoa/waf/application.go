package waf

import (
	"sync"
	"sync/atomic"
	"time"
)

// Source says who brought an application.
type Source string

// Applications come from the configuration file or over the control socket.
const (
	SourceFile    Source = "file"
	SourceControl Source = "control"
)

// Application is a loaded rule set under a name.
type Application struct {
	Name     string
	Source   Source
	LoadedAt time.Time
	*Loaded

	inFlight atomic.Int64
	retired  atomic.Bool
	once     sync.Once
	drained  chan struct{}

	share share // of the slots, guarded by the engine's turns
}

func newApplication(name string, source Source, loaded *Loaded) *Application {
	return &Application{
		Name: name, Source: source, Loaded: loaded, LoadedAt: time.Now(), drained: make(chan struct{}),
	}
}

// InFlight is the number of transactions in work.
func (a *Application) InFlight() int64 { return a.inFlight.Load() }

// acquire takes a reference. It fails once the application is retired, so that a rule set is never closed
// under a transaction: whoever counts itself in before retired is set is waited for.
func (a *Application) acquire() bool {
	a.inFlight.Add(1)
	if a.retired.Load() {
		a.release()
		return false
	}
	return true
}

func (a *Application) release() {
	if a.inFlight.Add(-1) == 0 && a.retired.Load() {
		a.once.Do(func() { close(a.drained) })
	}
}

// retire refuses new transactions. drained is closed when the last one has ended.
func (a *Application) retire() {
	a.retired.Store(true)
	if a.inFlight.Load() == 0 {
		a.once.Do(func() { close(a.drained) })
	}
}
