package waf

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

type nullMeter struct{}

func (nullMeter) Judged(string, string, time.Duration) {}
func (nullMeter) ShutOut()                             {}

var quiet = slog.New(slog.DiscardHandler)

func newTestEngine(t testing.TB, limits Limits, events func(*Event)) *Engine {
	t.Helper()
	if limits.Evaluations == 0 {
		limits = Limits{Evaluations: 4, Queue: 1000, QueueTimeout: time.Minute}
	}
	return NewEngine(NewRegistry(quiet, 2), limits, quiet, nullMeter{}, events)
}

func put(t testing.TB, e *Engine, name, text string) *Application {
	t.Helper()
	app, _, err := e.Registry.Put(context.Background(), name, SourceControl, text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// get is a GET as a browser sends it.
func get(app, id, uri string) *Request {
	return &Request{
		Application: app, ID: id, Method: "GET", URI: uri, Version: "1.1",
		Source: netip.MustParseAddr("192.0.2.1"), SourcePort: 4242, Dest: netip.MustParseAddr("192.0.2.2"), DestPort: 80,
		Headers: []Header{{"Host", "www.example.org"}, {"User-Agent", "Mozilla/5.0"}, {"Accept", "*/*"}},
	}
}

func TestVerdicts(t *testing.T) {
	var last *Event
	e := newTestEngine(t, Limits{Evaluations: 1, Queue: 10, QueueTimeout: time.Minute}, func(ev *Event) { last = ev })
	put(t, e, "app", waftest.Application)
	put(t, e, "tiny", `SecRuleEngine On
SecRule ARGS:a "@streq drop" "id:1,phase:1,drop"
SecRule ARGS:a "@streq redirect" "id:2,phase:1,redirect:https://x.example/"
SecRule ARGS:a "@streq deny" "id:3,phase:1,deny,msg:'no'"
SecRule ARGS:a "@streq teapot" "id:4,phase:2,deny,status:418"
SecRule REQUEST_PROTOCOL "@streq HTTP/2.0" "id:190001,phase:1,pass,log,msg:'two'"
SecRule SERVER_NAME "@streq [::1]" "id:190002,phase:1,pass,log,msg:'six'"
`)
	attack := "/?q=" + "1%27%20or%201=1--"
	header := func(r *Request, name, value string) *Request {
		r.Headers = append(r.Headers, Header{name, value})
		return r
	}
	body := func(r *Request, contentType, body string) *Request {
		r.Method, r.Body = "POST", []byte(body)
		header(r, "Content-Length", fmt.Sprint(len(body)))
		return header(r, "Content-Type", contentType)
	}
	id := waftest.ID
	for name, c := range map[string]struct {
		req                  *Request
		action               string
		status, rule, score  int
		rules                string
		fault, mode, detects string
		event                bool
	}{
		"benign":              {req: get("app", id("1.1.5.4.B.W-"), "/hello?a=b"), action: "allow"},
		"attack":              {req: get("app", id("1.1.5.4.B.W-"), attack), action: "deny", status: 403, rule: 949110, score: 5, rules: "[942100 949110]", event: true, mode: "block"},
		"attack, threshold":   {req: get("app", id("1.1.1000.4.B.W-"), attack), action: "allow", score: 5, rules: "[942100]", event: true, mode: "block"},
		"attack, detect":      {req: get("app", id("1.1.5.4.D.W-"), attack), action: "allow", score: 5, rules: "[942100 949110]", event: true, mode: "detect", detects: "deny 403 949110"},
		"higher level":        {req: get("app", id("4.4.5.4.B.W-"), "/hello?a=b%27c"), action: "deny", status: 403, rule: 949110, score: -1, event: true, mode: "block"},
		"the same at 1":       {req: get("app", id("1.1.5.4.B.W-"), "/hello?a=b%27c"), action: "allow"},
		"detection level 4":   {req: get("app", id("1.4.5.4.B.W-"), "/hello?a=b%27c"), action: "allow", rules: "+", event: true, mode: "block"},
		"canary":              {req: get("app", id("1.1.5.4.B.WP"), "/"), action: "deny", status: 403, rule: 949110, score: 5, rules: "[100003 949110]", event: true, mode: "block"},
		"canary, detect":      {req: get("app", id("1.1.5.4.D.WP"), "/"), action: "allow", score: 5, rules: "[100003 949110]", event: true, mode: "detect", detects: "deny 403 949110"},
		"no id":               {req: get("app", "", "/"), action: "deny", status: 503, rule: 100000, event: true},
		"forged id":           {req: get("app", "gp.9.1.5.4.B.W-.1.1.x", "/"), action: "deny", status: 503, rule: 100000, event: true},
		"form":                {req: body(get("app", id("1.1.5.4.B.W-"), "/"), "application/x-www-form-urlencoded", "q=1%27%20or%201%3D1--"), action: "deny", status: 403, rule: 949110, score: 5, rules: "[942100 949110]", event: true, mode: "block"},
		"JSON":                {req: body(get("app", id("1.1.5.4.B.W-"), "/"), "application/json", `{"q":"1' or 1=1--"}`), action: "deny", status: 403, rule: 949110, score: 5, rules: "[942100 949110]", event: true, mode: "block"},
		"broken JSON":         {req: body(get("app", id("1.1.5.4.B.W-"), "/"), "application/json", `{"q":"a`), action: "deny", status: 400, rule: 200002, event: true, mode: "block"},
		"cut JSON":            {req: body(get("app", id("1.1.5.4.B.C-"), "/"), "application/json", `{"q":"a`), action: "allow", event: false},
		"drop":                {req: get("tiny", "x", "/?a=drop"), action: "drop", status: 403, rule: 1, event: true},
		"redirect":            {req: get("tiny", "x", "/?a=redirect"), action: "redirect", status: 302, rule: 2, event: true},
		"deny":                {req: get("tiny", "x", "/?a=deny"), action: "deny", status: 403, rule: 3, event: true},
		"status":              {req: get("tiny", "x", "/?a=teapot"), action: "deny", status: 418, rule: 4, event: true},
		"unknown application": {req: get("nope", "x", "/"), fault: FaultUnknownApplication},
		"HTTP/2":              {req: &Request{Application: "tiny", ID: "x", Method: "GET", URI: "/", Version: "2.0"}, action: "allow", rules: "[190001]", event: true},
		"IPv6 host":           {req: &Request{Application: "tiny", ID: "x", Method: "GET", URI: "/", Version: "1.1", Headers: []Header{{"host", "[::1]:80"}}}, action: "allow", rules: "[190002]", event: true},
	} {
		t.Run(name, func(t *testing.T) {
			last = nil
			v := e.Evaluate(context.Background(), c.req)
			if v.Fault != c.fault || v.Action != c.action || v.Status != c.status || v.RuleID != c.rule || c.score >= 0 && v.Score != c.score {
				t.Errorf("%+v", v)
			}
			if c.rules == "+" && len(v.Rules) == 0 || c.rules != "+" && c.score >= 0 && fmt.Sprint(v.Rules) != "["+strings.Trim(c.rules, "[]")+"]" {
				t.Errorf("rules %v, want %s", v.Rules, c.rules)
			}
			if (last != nil) != c.event {
				t.Fatalf("event %+v", last)
			}
			if last == nil {
				return
			}
			detects := ""
			if d := last.Detected; d != nil {
				detects = fmt.Sprint(d.Action, " ", d.Status, " ", d.RuleID)
			}
			if last.ID != c.req.ID || last.Action != c.action || last.Mode != c.mode || detects != c.detects || last.Application != c.req.Application {
				t.Errorf("event %+v", last)
			}
		})
	}
}

func TestEventIsBounded(t *testing.T) {
	var last *Event
	e := newTestEngine(t, Limits{}, func(ev *Event) { last = ev })
	var text strings.Builder
	text.WriteString("SecRuleEngine On\n")
	for i := range 100 {
		fmt.Fprintf(&text, "SecRule ARGS \"@rx .\" \"id:%d,phase:2,pass,log,msg:'%%{MATCHED_VAR}',logdata:'%%{MATCHED_VAR}'\"\n", 190000+i)
	}
	put(t, e, "a", text.String())
	e.Evaluate(context.Background(), get("a", "x", "/?a="+strings.Repeat("%e4", 5000)))
	line, err := last.Line()
	if err != nil || len(line) > MaxEvent || line[len(line)-1] != '\n' || !last.Truncated || len(last.Rules) == 0 {
		t.Errorf("%d bytes, %d rules, truncated %t, %v", len(line), len(last.Rules), last.Truncated, err)
	}
}

func TestPanicIsRecovered(t *testing.T) {
	e := newTestEngine(t, Limits{}, nil)
	put(t, e, "a", waftest.Tiny("evil", 190000))
	e.SetFaults(Faults{Panic: true})
	if v := e.Evaluate(context.Background(), get("a", "x", "/")); v.Fault != FaultPanic {
		t.Errorf("%+v", v)
	}
	e.SetFaults(Faults{})
	if v := e.Evaluate(context.Background(), get("a", "x", "/evil")); v.Action != "deny" {
		t.Errorf("%+v", v)
	}
	if n := e.Registry.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

func TestOverload(t *testing.T) {
	e := newTestEngine(t, Limits{Evaluations: 1, Queue: 1, QueueTimeout: 100 * time.Millisecond}, nil)
	put(t, e, "a", waftest.Tiny("evil", 190000))
	e.SetFaults(Faults{DelayMS: 400})
	var wg sync.WaitGroup
	wg.Go(func() { e.Evaluate(context.Background(), get("a", "x", "/")) })
	for e.Running() == 0 {
		time.Sleep(time.Millisecond)
	}
	waiter := make(chan Verdict, 1)
	go func() { waiter <- e.Evaluate(context.Background(), get("a", "x", "/")) }()
	for e.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	begin := time.Now()
	if v := e.Evaluate(context.Background(), get("a", "x", "/")); v.Fault != FaultOverload || time.Since(begin) > 50*time.Millisecond {
		t.Errorf("a full queue: %+v after %s", v, time.Since(begin))
	}
	if v := <-waiter; v.Fault != FaultOverload {
		t.Errorf("waited too long: %+v", v)
	}
	late := get("a", "x", "/")
	late.Arrived = time.Now().Add(-time.Second)
	wg.Wait()
	if v := e.Evaluate(context.Background(), late); v.Fault != FaultOverload {
		t.Errorf("too late: %+v", v)
	}
	e.SetFaults(Faults{})
	if v := e.Evaluate(context.Background(), get("a", "x", "/")); v.Action != "allow" {
		t.Errorf("afterwards: %+v", v)
	}
}

// TestExclusionsStayInTheirTransaction fails within a second without isolate.
func TestExclusionsStayInTheirTransaction(t *testing.T) {
	e := newTestEngine(t, Limits{}, nil)
	// Three exceptions in an array of four; in a chain, too, which no directive can reach.
	put(t, e, "a", `SecRuleEngine On
SecRule REQUEST_FILENAME "@streq /a" "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=10-11;ARGS:a"
SecRule REQUEST_FILENAME "@streq /b" "id:2,phase:1,pass,nolog,ctl:ruleRemoveTargetById=10-11;ARGS:b"
SecRule ARGS|!ARGS:x|!ARGS:y|!ARGS:z "@contains evil" "id:10,phase:2,deny,status:403,log,msg:'m'"
SecRule REQUEST_METHOD "@streq GET" "id:11,phase:2,deny,status:403,log,msg:'m',chain"
  SecRule ARGS|!ARGS:x|!ARGS:y|!ARGS:z "@contains evil"
`)
	var passed, blocked atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		page, excluded, inspected := "/a", "a", "b"
		if i%2 == 0 {
			page, excluded, inspected = "/b", "b", "a"
		}
		wg.Go(func() {
			for range 5000 {
				if e.Evaluate(context.Background(), get("a", "x", page+"?"+inspected+"=evil")).Action != "deny" {
					passed.Add(1)
				}
				if e.Evaluate(context.Background(), get("a", "x", page+"?"+excluded+"=evil")).Action != "allow" {
					blocked.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if passed.Load()+blocked.Load() > 0 {
		t.Errorf("%d attacks passed and %d requests were blocked by the exclusions of others", passed.Load(), blocked.Load())
	}
}

func TestParseHeaders(t *testing.T) {
	got := ParseHeaders([]byte("Host: a\r\nx-empty:\r\nX-Colon: a:b \r\nno colon\r\nlf: 1\n\r\n\r\n"))
	want := []Header{{"Host", "a"}, {"x-empty", ""}, {"X-Colon", "a:b"}, {"no colon", ""}, {"lf", "1"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q", got)
	}
	if n := len(ParseHeaders(nil)); n != 0 {
		t.Errorf("%d headers of nothing", n)
	}
}
