package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/agent"
	"github.com/guard-proxy/guard-proxy/spoa/internal/spoptest"
	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
	"github.com/guard-proxy/guard-proxy/spoa/listen"
	"github.com/guard-proxy/guard-proxy/spoa/spop"
	"github.com/guard-proxy/guard-proxy/spoa/waf"
)

type nullMeter struct{}

func (nullMeter) Judged(string, string, time.Duration) {}
func (nullMeter) ShutOut()                             {}

// start serves an agent on a Unix socket.
func start(t *testing.T, limits waf.Limits) (*waf.Engine, string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	engine := waf.NewEngine(waf.NewRegistry(log, 2), limits, log, nullMeter{}, nil)
	path := filepath.Join(t.TempDir(), "spop.sock")
	l, err := listen.Unix(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	srv := spop.NewServer(agent.New(context.Background(), engine, log, func(string) {}), spop.Config{})
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
	})
	return engine, path
}

var usual = waf.Limits{Evaluations: 4, Queue: 1000, QueueTimeout: time.Minute}

func load(t *testing.T, e *waf.Engine, name, text string) {
	t.Helper()
	if _, _, err := e.Registry.Put(context.Background(), name, waf.SourceControl, text, waf.Options{}); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, path string) *spoptest.Client {
	t.Helper()
	c, err := spoptest.Dial("unix", path, 65532)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// request is what HAProxy sends; app comes late on purpose.
func request(app, id, path, query, body string) []spoptest.Arg {
	return []spoptest.Arg{
		{Name: "id", Value: id},
		{Name: "src-ip", Value: netip.MustParseAddr("192.0.2.1")},
		{Name: "src-port", Value: 4242},
		{Name: "dst-ip", Value: netip.MustParseAddr("2001:db8::1")},
		{Name: "dst-port", Value: 80},
		{Name: "method", Value: "GET"},
		{Name: "path", Value: path},
		{Name: "query", Value: query},
		{Name: "version", Value: "1.1"},
		{Name: "headers", Value: []byte("host: www.example.org\r\nuser-agent: Mozilla\r\naccept: */*\r\n\r\n")},
		{Name: "body", Value: []byte(body)},
		{Name: "unknown", Value: nil},
		{Name: "exportRuleIDs", Value: true},
		{Name: "app", Value: app},
	}
}

func ask(t *testing.T, c *spoptest.Client, args []spoptest.Arg) map[string]any {
	t.Helper()
	if err := c.Notify(7, 1, "coraza-req", args...); err != nil {
		t.Fatal(err)
	}
	f, err := c.Read()
	if err != nil || f.Type != 103 || f.StreamID != 7 {
		t.Fatalf("%+v %v", f, err)
	}
	return f.Values
}

func TestVariables(t *testing.T) {
	e, path := start(t, usual)
	load(t, e, "app", waftest.Application)
	c := dial(t, path)
	id := waftest.ID("1.1.5.4.B.W-")
	for name, x := range map[string]struct {
		args []spoptest.Arg
		want map[string]any
	}{
		"allow": {request("app", id, "/", "a=b", ""), map[string]any{
			"id": id, "action": "allow", "rules_hit": int64(0), "anomaly_score": int64(0)}},
		"deny": {request("app", id, "/", "q=1%27%20or%201=1--", ""), map[string]any{
			"id": id, "action": "deny", "status": int64(403), "ruleid": int64(949110), "rules_hit": int64(2),
			"anomaly_score": int64(5), "rule_ids": "942100,949110"}},
		"no id":         {request("app", "-", "/", "", ""), map[string]any{"id": "-", "action": "deny", "status": int64(503), "ruleid": int64(100000), "rules_hit": int64(0), "anomaly_score": int64(0)}},
		"unknown":       {request("nope", id, "/", "", ""), map[string]any{"id": id, "fault": "unknown-application"}},
		"no app":        {request("app", id, "/", "", "")[:5], map[string]any{"fault": "bad-message"}},
		"null for path": {append(request("app", id, "/", "", ""), spoptest.Arg{Name: "path", Value: nil}), nil},
	} {
		got := ask(t, c, x.args)
		if x.want != nil && fmt.Sprint(got) != fmt.Sprint(x.want) {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
		if x.want == nil && got["fault"] != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	_ = c.Notify(1, 1, "coraza-res", spoptest.Arg{Name: "app", Value: "app"})
	if f, err := c.Read(); err != nil || f.Values["fault"] != "unsupported" {
		t.Errorf("coraza-res: %v %v", f, err)
	}
	_ = c.Send(3, 1, 1, []byte{3, 'a'})
	if f, err := c.Read(); err != nil || f.Values["fault"] != "bad-message" {
		t.Errorf("nonsense: %v %v", f, err)
	}
	e.SetFaults(waf.Faults{Panic: true})
	if got := ask(t, c, request("app", id, "/", "", "")); got["fault"] != "panic" || got["action"] != nil {
		t.Errorf("panic: %v", got)
	}
}

// What HAProxy asks for its clients is counted by vhost; waftest's is 7.
func TestTraffic(t *testing.T) {
	e, path := start(t, usual)
	load(t, e, "app", waftest.Application)
	c := dial(t, path)
	const attack = "q=1%27%20or%201=1--"
	for _, x := range []struct{ app, parameters, query string }{
		{"app", "1.1.5.4.B.W-", "a=b"}, {"app", "1.1.5.4.B.W-", attack}, {"app", "1.1.5.4.D.W-", attack},
		{"app", "1.1.5.4.D.W-", "a=b"}, {"nope", "1.1.5.4.B.W-", "a=b"},
		{"app", "1.1.5.4.B.WP", "a=b"}, {"app", "1.1.5.4.B.Wp", attack}, {"app", "1.1.5.4.D.CP", attack},
	} {
		ask(t, c, request(x.app, waftest.ID(x.parameters), "/", x.query, ""))
	}
	want := waf.Counts{Inspected: 4, Blocked: 1, Detected: 1, Failed: 1}
	if got := e.Traffic.Vhosts(); len(got) != 1 || got[7] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestOverloadOnTheWire(t *testing.T) {
	e, path := start(t, waf.Limits{Evaluations: 1, Queue: 10, QueueTimeout: 50 * time.Millisecond})
	load(t, e, "app", waftest.Tiny("evil", 190000))
	e.SetFaults(waf.Faults{DelayMS: 300})
	c := dial(t, path)
	for i := range 4 {
		_ = c.Notify(uint64(i), 1, "coraza-req", request("app", "x", "/", "", "")...)
	}
	count := map[any]int{}
	for range 4 {
		f, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		count[f.Values["fault"]]++
	}
	if count["overload"] != 3 || count[nil] != 1 {
		t.Errorf("%v", count)
	}
}

// TestReplaceUnderLoadOnTheWire: no fault, no lost acknowledgement, no attack that passes.
func TestReplaceUnderLoadOnTheWire(t *testing.T) {
	e, path := start(t, usual)
	load(t, e, "app", waftest.Tiny("evil", 190000))
	var wg sync.WaitGroup
	var sent, wrong atomic.Int64
	var stop atomic.Bool
	for range 3 {
		c := dial(t, path)
		wg.Go(func() {
			for n := uint64(0); !stop.Load(); n += 8 {
				for i := range uint64(8) {
					body := ""
					if i%2 == 0 {
						body = strings.Repeat("x", 100) + "evil"
					}
					args := append(request("app", "x", "/", "", body), spoptest.Arg{Name: "method", Value: "POST"},
						spoptest.Arg{Name: "headers", Value: []byte("content-type: application/x-www-form-urlencoded\r\n\r\n")})
					if c.Notify(n+i, 1, "coraza-req", args...) != nil {
						wrong.Add(1)
					}
				}
				for range 8 {
					f, err := c.Read()
					if err != nil {
						wrong.Add(1)
						return
					}
					sent.Add(1)
					want := "allow"
					if f.StreamID%2 == 0 {
						want = "deny"
					}
					if f.Values["action"] != want {
						wrong.Add(1)
						t.Log(f)
					}
				}
			}
		})
	}
	for i := range 60 {
		load(t, e, "app", waftest.Tiny("evil", 190000+2*i))
	}
	stop.Store(true)
	wg.Wait()
	if wrong.Load() != 0 || sent.Load() < 50 {
		t.Errorf("%d of %d answers were wrong", wrong.Load(), sent.Load())
	}
}

// TestConcurrentCRS gives the race detector the whole rule set to look at.
func TestConcurrentCRS(t *testing.T) {
	e, path := start(t, usual)
	load(t, e, "app", waftest.Application+`SecRuleUpdateTargetById 942100 "!ARGS:a|!ARGS:b|!ARGS:c"`+"\n")
	var wg sync.WaitGroup
	for w := range 4 {
		c := dial(t, path)
		wg.Go(func() {
			for i := range 15 {
				id := waftest.ID([]string{"1.1.5.4.B.W-", "4.4.5.4.B.W-", "1.4.5.4.D.W-", "2.2.5.4.B.WP"}[(w+i)%4])
				if err := c.Notify(1, uint64(i), "coraza-req", request("app", id, "/a/b.php", "q=1%27%20or%201=1--&c=<script>", `{"a":1}`)...); err != nil {
					t.Error(err)
				}
				if f, err := c.Read(); err != nil || f.Values["action"] == nil {
					t.Error(f, err)
				}
			}
		})
	}
	wg.Wait()
}
