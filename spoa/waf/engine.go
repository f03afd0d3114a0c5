// Package waf holds the applications and judges requests by them, with Coraza. It knows nothing of how
// requests come in.
package waf

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync/atomic"
	"time"
)

// Limits of an Engine.
type Limits struct {
	// Evaluations that run at the same time.
	Evaluations int
	// Queue is how many may wait for one to end.
	Queue int
	// QueueTimeout is how long one may wait. HAProxy's `timeout processing` covers waiting and evaluating, so
	// an answer later than that is for nobody.
	QueueTimeout time.Duration
	// Slow is when an evaluation has taken too long; 0 never.
	Slow time.Duration
}

// Faults are misbehaviours that tests ask for.
type Faults struct {
	DelayMS  int64 `json:"delay_ms"`
	NeverAck bool  `json:"never_ack"`
	Panic    bool  `json:"panic"`
	// LogSeen is none: it logs each request before it is judged.
	LogSeen bool `json:"log_seen"`
}

// Meter is told what happens.
type Meter interface {
	// Judged is called for each evaluation, with the action or the fault.
	Judged(action, fault string, took time.Duration)
	// ShutOut is called when an application is answered overload for a while because it was slow.
	ShutOut()
}

// Engine evaluates requests.
type Engine struct {
	Registry *Registry
	// Traffic counts what came of HAProxy's requests; whoever asks for them says so.
	Traffic Traffic
	log     *slog.Logger
	meter   Meter
	events  func(*Event)
	turns   turns
	running atomic.Int64
	faults  atomic.Pointer[Faults]
}

// NewEngine makes an engine. events may be nil.
func NewEngine(reg *Registry, limits Limits, log *slog.Logger, meter Meter, events func(*Event)) *Engine {
	e := &Engine{
		Registry: reg, log: log, meter: meter, events: events,
	}
	e.turns.limits = limits
	e.turns.tripped = func(app *Application) {
		meter.ShutOut()
		log.Error("an application is too slow and is answered overload for a while", "application", app.Name,
			"slow_evaluations", slowInARow, "longer_than", limits.Slow.String(), "for", shutOut.String())
	}
	e.faults.Store(&Faults{})
	return e
}

// SetFaults makes the engine misbehave.
func (e *Engine) SetFaults(f Faults) { e.faults.Store(&f) }

// Waiting is the number of requests that wait for their turn.
func (e *Engine) Waiting() int64 { return e.turns.count() }

// Running is the number of evaluations.
func (e *Engine) Running() int64 { return e.running.Load() }

// Evaluate judges a request. It always returns a verdict or a fault.
func (e *Engine) Evaluate(ctx context.Context, req *Request) Verdict {
	if req.Arrived.IsZero() {
		req.Arrived = time.Now()
	}
	if req.ID == "" {
		req.ID = rand.Text()[:16]
	}
	v := e.admit(ctx, req)
	e.meter.Judged(v.Action, v.Fault, time.Since(req.Arrived))
	return v
}

func (e *Engine) admit(ctx context.Context, req *Request) Verdict {
	// Before the queue: an unknown name needs no turn, and an application that is unloaded meanwhile waits
	// for those that name it.
	app := e.Registry.acquire(req.Application)
	if app == nil {
		return Verdict{Fault: FaultUnknownApplication}
	}
	defer app.release()
	turn, ok := e.turns.enter(ctx, app, req.Arrived)
	if !ok {
		return Verdict{Fault: FaultOverload}
	}
	defer func() { e.running.Add(-1); turn.leave() }()
	e.running.Add(1)
	faults := e.faults.Load()
	if faults.DelayMS > 0 {
		time.Sleep(time.Duration(faults.DelayMS) * time.Millisecond)
	}
	if faults.LogSeen {
		logSeen(e.log, req)
	}
	v := e.evaluate(app, req)
	v.Withhold = faults.NeverAck
	return v
}
