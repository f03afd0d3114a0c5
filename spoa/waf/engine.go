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
}

// Faults are misbehaviours that tests ask for.
type Faults struct {
	DelayMS  int64 `json:"delay_ms"`
	NeverAck bool  `json:"never_ack"`
	Panic    bool  `json:"panic"`
}

// Meter is told what happens.
type Meter interface {
	// Judged is called for each evaluation, with the action or the fault.
	Judged(action, fault string, took time.Duration)
}

// Engine evaluates requests.
type Engine struct {
	Registry *Registry
	limits   Limits
	log      *slog.Logger
	meter    Meter
	events   func(*Event)
	slots    chan struct{}
	waiting  atomic.Int64
	running  atomic.Int64
	faults   atomic.Pointer[Faults]
}

// NewEngine makes an engine. events may be nil.
func NewEngine(reg *Registry, limits Limits, log *slog.Logger, meter Meter, events func(*Event)) *Engine {
	e := &Engine{
		Registry: reg, limits: limits, log: log, meter: meter, events: events,
		slots: make(chan struct{}, limits.Evaluations),
	}
	e.faults.Store(&Faults{})
	return e
}

// SetFaults makes the engine misbehave.
func (e *Engine) SetFaults(f Faults) { e.faults.Store(&f) }

// Waiting is the number of requests that wait for their turn.
func (e *Engine) Waiting() int64 { return e.waiting.Load() }

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
	if !e.enter(ctx, req.Arrived) {
		return Verdict{Fault: FaultOverload}
	}
	defer func() { e.running.Add(-1); <-e.slots }()
	e.running.Add(1)
	faults := e.faults.Load()
	if faults.DelayMS > 0 {
		time.Sleep(time.Duration(faults.DelayMS) * time.Millisecond)
	}
	v := e.evaluate(app, req)
	v.Withhold = faults.NeverAck
	return v
}

// enter waits for a turn.
func (e *Engine) enter(ctx context.Context, arrived time.Time) bool {
	left := e.limits.QueueTimeout - time.Since(arrived)
	if left <= 0 {
		return false
	}
	select {
	case e.slots <- struct{}{}:
		return true
	default:
	}
	if e.waiting.Add(1) > int64(e.limits.Queue) {
		e.waiting.Add(-1)
		return false
	}
	defer e.waiting.Add(-1)
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case e.slots <- struct{}{}:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}
