package waf

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

func TestPutReplaceDelete(t *testing.T) {
	e := newTestEngine(t, Limits{}, nil)
	ctx := context.Background()
	first := put(t, e, "a", waftest.Tiny("evil", 190000))
	again, replaced, err := e.Registry.Put(ctx, "a", SourceControl, waftest.Tiny("evil", 190000), Options{})
	if err != nil || replaced || again != first {
		t.Errorf("the same again: %v %v %v", again == first, replaced, err)
	}
	_, replaced, err = e.Registry.Put(ctx, "a", SourceControl, waftest.Tiny("bad", 190000), Options{})
	if err != nil || !replaced {
		t.Errorf("replaced %t, %v", replaced, err)
	}
	if v := e.Evaluate(ctx, get("a", "x", "/evil")); v.Action != "allow" {
		t.Errorf("old rules: %+v", v)
	}
	if _, _, err = e.Registry.Put(ctx, "a", SourceControl, "SecFoo", Options{}); err == nil {
		t.Error("nonsense was loaded")
	}
	if v := e.Evaluate(ctx, get("a", "x", "/bad")); v.Action != "deny" {
		t.Errorf("after a failed load: %+v", v)
	}
	if drained, err := e.Registry.Delete(ctx, "a"); !drained || err != nil {
		t.Error(drained, err)
	}
	if v := e.Evaluate(ctx, get("a", "x", "/bad")); v.Fault != FaultUnknownApplication {
		t.Errorf("after deletion: %+v", v)
	}
	if _, err := e.Registry.Delete(ctx, "a"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestDeleteWaitsForTransactions(t *testing.T) {
	e := newTestEngine(t, Limits{}, nil)
	put(t, e, "a", waftest.Tiny("evil", 190000))
	e.SetFaults(Faults{DelayMS: 300})
	verdict := make(chan Verdict, 1)
	go func() { verdict <- e.Evaluate(context.Background(), get("a", "x", "/evil")) }()
	for e.Running() == 0 {
		time.Sleep(time.Millisecond)
	}
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if drained, err := e.Registry.Delete(short, "a"); drained || err != nil {
		t.Errorf("drained %t, %v", drained, err)
	}
	list := e.Registry.List()
	if len(list) != 1 || !list[0].Draining() || list[0].InFlight() != 1 || e.Registry.Count() != 0 {
		t.Errorf("%+v", list)
	}
	if v := e.Evaluate(context.Background(), get("a", "x", "/")); v.Fault != FaultUnknownApplication {
		t.Errorf("%+v", v)
	}
	if v := <-verdict; v.Action != "deny" {
		t.Errorf("the request in work: %+v", v)
	}
	for range 200 {
		if len(e.Registry.List()) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("the application never went")
}

func TestReplaceUnderLoad(t *testing.T) {
	e := newTestEngine(t, Limits{Evaluations: 4, Queue: 1000, QueueTimeout: time.Minute}, nil)
	put(t, e, "a", waftest.Tiny("evil", 190000))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var attacks, wrong atomic.Int64
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				attacks.Add(1)
				if v := e.Evaluate(context.Background(), get("a", "x", "/evil")); v.Action != "deny" {
					wrong.Add(1)
				}
			}
		})
	}
	for i := range 100 {
		put(t, e, "a", waftest.Tiny("evil", 190000+2*i))
	}
	close(stop)
	wg.Wait()
	if wrong.Load() != 0 || attacks.Load() < 100 {
		t.Errorf("%d of %d attacks were not blocked", wrong.Load(), attacks.Load())
	}
	for range 200 {
		if len(e.Registry.List()) == 1 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d applications are left", len(e.Registry.List()))
}

func TestLoadAndUnloadDoesNotGrow(t *testing.T) {
	e := newTestEngine(t, Limits{}, nil)
	cycle := func(i int) {
		name := "a" + string(rune('a'+i%26))
		put(t, e, name, waftest.Tiny("w"+time.Duration(i).String(), 190000))
		e.Evaluate(context.Background(), get(name, "x", "/?a=b"))
		if drained, err := e.Registry.Delete(context.Background(), name); !drained || err != nil {
			t.Fatal(drained, err)
		}
	}
	for i := range 20 {
		cycle(i)
	}
	before := heapInUse()
	for i := range 300 {
		cycle(20 + i)
	}
	if grown := int64(heapInUse()) - int64(before); grown > 1<<20 {
		t.Errorf("300 cycles cost %d KiB", grown>>10)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestReplaceFromFile(t *testing.T) {
	e := newTestEngine(t, Limits{}, nil)
	r, ctx := e.Registry, context.Background()
	put(t, e, "controlled", waftest.Tiny("evil", 190000))
	def := func(name, word string) Definition { return Definition{name, waftest.Tiny(word, 190000)} }
	if err := r.Replace(ctx, []Definition{def("a", "evil"), def("b", "evil")}, "a", Options{}); err != nil {
		t.Fatal(err)
	}
	kept := (*r.apps.Load())["a"]
	if v := e.Evaluate(ctx, get("unknown", "x", "/evil")); v.Action != "deny" {
		t.Errorf("default application: %+v", v)
	}
	err := r.Replace(ctx, []Definition{def("a", "other"), {"c", "SecFoo"}}, "", Options{})
	if err == nil || (*r.apps.Load())["a"] != kept || r.Count() != 3 {
		t.Errorf("a broken file changed something: %v", err)
	}
	if err := r.Replace(ctx, []Definition{def("a", "evil"), def("c", "evil")}, "", Options{}); err != nil {
		t.Fatal(err)
	}
	if (*r.apps.Load())["a"] != kept {
		t.Error("an unchanged application was loaded anew")
	}
	apps := *r.apps.Load()
	if apps["b"] != nil || apps["c"] == nil || apps["controlled"] == nil {
		t.Errorf("%v", apps)
	}
	if v := e.Evaluate(ctx, get("unknown", "x", "/evil")); v.Fault != FaultUnknownApplication {
		t.Errorf("no default any more: %+v", v)
	}
}
