package waf

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

type shutOutMeter struct {
	nullMeter
	times atomic.Int64
}

func (m *shutOutMeter) ShutOut() { m.times.Add(1) }

func testTurns(limits Limits) (*turns, *Application, *Application) {
	t := &turns{limits: limits, tripped: func(*Application) {}}
	return t, newApplication("a", SourceControl, &Loaded{}), newApplication("b", SourceControl, &Loaded{})
}

func (t *turns) mustEnter(tb testing.TB, app *Application) *turn {
	tb.Helper()
	u, ok := t.enter(context.Background(), app, time.Now())
	if !ok {
		tb.Fatal("no turn")
	}
	return u
}

func awaitWaiting(t *turns, n int64) {
	for t.count() != n {
		time.Sleep(time.Millisecond)
	}
}

func TestOthersGoFirst(t *testing.T) {
	turns, a, b := testTurns(Limits{Evaluations: 2, Queue: 100, QueueTimeout: time.Minute})
	first, second := turns.mustEnter(t, a), turns.mustEnter(t, a) // alone it may have both
	got := make(chan *turn, 3)
	enter := func(app *Application) {
		u, _ := turns.enter(context.Background(), app, time.Now())
		got <- u
	}
	go enter(a)
	awaitWaiting(turns, 1)
	go enter(a)
	awaitWaiting(turns, 2)
	go enter(b) // comes last
	awaitWaiting(turns, 3)
	first.leave()
	u := <-got
	if u.app != b {
		t.Fatal("the application that holds a slot got the next one, too, while another waited")
	}
	u.leave()
	second.leave()
	for range 2 {
		(<-got).leave()
	}
	if turns.used != 0 || a.share != (share{}) || b.share != (share{}) || turns.waiting.Len() != 0 {
		t.Errorf("%d used, %+v %+v", turns.used, a.share, b.share)
	}
}

func TestOneCannotFillTheQueue(t *testing.T) {
	turns, a, b := testTurns(Limits{Evaluations: 1, Queue: 8, QueueTimeout: 200 * time.Millisecond})
	held := turns.mustEnter(t, a)
	var wg sync.WaitGroup
	var refused atomic.Int64
	enter := func(app *Application) {
		u, ok := turns.enter(context.Background(), app, time.Now())
		if !ok {
			refused.Add(1)
			return
		}
		u.leave()
	}
	for range 20 {
		wg.Go(func() { enter(a) })
	}
	for refused.Load() != 13 {
		time.Sleep(time.Millisecond)
	}
	wg.Go(func() { enter(b) })
	awaitWaiting(turns, 8)
	held.leave()
	wg.Wait()
	if refused.Load() != 13 || turns.used != 0 {
		t.Errorf("%d refused, %d used", refused.Load(), turns.used)
	}
}

func TestSlowApplicationIsShutOut(t *testing.T) {
	meter := &shutOutMeter{}
	e := NewEngine(NewRegistry(quiet, 2), Limits{Evaluations: 2, Queue: 10, QueueTimeout: time.Second, Slow: 50 * time.Millisecond}, quiet, meter, nil)
	put(t, e, "slow", waftest.Tiny("evil", 190000))
	put(t, e, "other", waftest.Tiny("evil", 190000))
	e.SetFaults(Faults{DelayMS: 300})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { e.Evaluate(context.Background(), get("slow", "x", "/")) })
	}
	for meter.times.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if e.Running() == 0 {
		t.Error("it was shut out only after its evaluations had ended")
	}
	e.SetFaults(Faults{})
	begin := time.Now()
	if v := e.Evaluate(context.Background(), get("slow", "x", "/")); v.Fault != FaultOverload || time.Since(begin) > 50*time.Millisecond {
		t.Errorf("%+v after %s", v, time.Since(begin))
	}
	if v := e.Evaluate(context.Background(), get("other", "x", "/evil")); v.Action != "deny" || time.Since(begin) > 100*time.Millisecond {
		t.Errorf("the other: %+v after %s", v, time.Since(begin))
	}
	wg.Wait()
	e.Registry.acquire("slow").share.shutUntil = time.Time{}
	if v := e.Evaluate(context.Background(), get("slow", "x", "/evil")); v.Action != "deny" {
		t.Errorf("afterwards: %+v", v)
	}
	if e.turns.used != 0 || e.Running() != 0 || meter.times.Load() != 1 {
		t.Errorf("%d used, %d running, %d times", e.turns.used, e.Running(), meter.times.Load())
	}
}
