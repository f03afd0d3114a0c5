package control

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
	"github.com/guard-proxy/guard-proxy/spoa/listen"
	"github.com/guard-proxy/guard-proxy/spoa/telemetry"
	"github.com/guard-proxy/guard-proxy/spoa/waf"
)

type object = map[string]any

// client talks to a server over its socket.
type client struct {
	t    *testing.T
	http *http.Client
	srv  *Server
}

func start(t *testing.T, role string, edit func(*Options)) *client {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	metrics := telemetry.NewMetrics("test")
	opt := Options{Info: Info{Version: "test", Role: role, StartedAt: time.Now()}, Metrics: metrics.Handler(), Logger: log}
	if role == RoleAgent {
		reg := waf.NewRegistry(log, 2)
		opt.Engine = waf.NewEngine(reg, waf.Limits{Evaluations: 2, Queue: 10, QueueTimeout: time.Second}, log, metrics, nil)
	}
	if edit != nil {
		edit(&opt)
	}
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := listen.Unix(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	srv := New(opt)
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.http.Close() })
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &client{t, &http.Client{Transport: &http.Transport{DialContext: dial}}, srv}
}

// do sends a request and expects a status and JSON.
func (c *client) do(status int, method, path string, body any) object {
	c.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	req, err := http.NewRequest(method, "http://agent"+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out object
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		c.t.Errorf("%s %s: not JSON: %v", method, path, err)
	}
	if resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/json" {
		c.t.Errorf("%s %s: status %d, want %d: %v", method, path, resp.StatusCode, status, out)
	}
	return out
}

func directives(text string) object { return object{"directives": text} }

func TestAgent(t *testing.T) {
	c := start(t, RoleAgent, nil)
	got := c.do(200, "PUT", "/v1/applications/a.b_c-1", directives(waftest.Application))
	if got["replaced"] != false || got["rule_count"].(float64) < 500 || got["digest"] != waf.Digest(waftest.Application) ||
		fmt.Sprint(got["findings"]) != "[]" || got["load_ms"].(float64) <= 0 || got["name"] != "a.b_c-1" {
		t.Errorf("%v", got)
	}
	if got := c.do(200, "PUT", "/v1/applications/a.b_c-1", directives(waftest.Application)); got["replaced"] != false {
		t.Errorf("%v", got)
	}
	items := c.do(200, "GET", "/v1/applications", nil)["items"].([]any)
	item := items[0].(object)
	if len(items) != 1 || item["state"] != "serving" || item["source"] != "control" || item["in_flight"] != float64(0) {
		t.Errorf("%v", items)
	}
	status := c.do(200, "GET", "/v1/status", nil)
	if status["role"] != "agent" || status["applications"] != float64(1) || status["pid"].(float64) < 1 {
		t.Errorf("%v", status)
	}
	got = c.do(200, "PUT", "/v1/applications/a.b_c-1", directives(waftest.Tiny("evil", 190000)+"SecPcreMatchLimit 1\n"))
	finding := got["findings"].([]any)[0].(object)
	if got["replaced"] != true || finding["severity"] != "warning" || finding["code"] != "no-op-directive" || finding["line"] != float64(5) {
		t.Errorf("%v", got)
	}
	got = c.do(422, "PUT", "/v1/applications/a.b_c-1", directives("SecRuleEngine On\nSecFoo x"))
	if e := got["error"].(object); e["file"] != nil || e["line"] != float64(2) || e["directive"] != "SecFoo x" || !strings.Contains(e["message"].(string), "secfoo") {
		t.Errorf("%v", got)
	}
	if got := c.do(200, "DELETE", "/v1/applications/a.b_c-1", nil); got["name"] != "a.b_c-1" || got["waited_ms"] == nil {
		t.Errorf("%v", got)
	}
	c.do(404, "DELETE", "/v1/applications/a.b_c-1", nil)
}

func TestTraffic(t *testing.T) {
	var traffic *waf.Traffic
	c := start(t, RoleAgent, func(o *Options) { traffic = &o.Engine.Traffic })
	got := c.do(200, "GET", "/v1/traffic", nil)
	if fmt.Sprint(got["vhosts"]) != "map[]" || got["pid"].(float64) < 1 || got["started_at"] != c.do(200, "GET", "/v1/status", nil)["started_at"] {
		t.Errorf("%v", got)
	}
	id := waftest.ID("1.1.5.4.B.W-")
	traffic.Count(&waf.Request{ID: id}, waf.Verdict{Action: "deny"})
	// Who asks here is no client.
	c.do(200, "PUT", "/v1/applications/a", directives(waftest.Tiny("evil", 190000)))
	c.do(200, "POST", "/v1/applications/a/evaluate", object{"id": id, "method": "GET", "uri": "/evil", "version": "1.1"})
	got = c.do(200, "GET", "/v1/traffic", nil)["vhosts"].(object)
	if fmt.Sprint(got) != "map[7:map[blocked:1 detected:0 failed:0 inspected:1]]" {
		t.Errorf("%v", got)
	}
	if got := start(t, RoleValidator, nil).do(200, "GET", "/v1/traffic", nil); fmt.Sprint(got["vhosts"]) != "map[]" {
		t.Errorf("%v", got)
	}
}

func TestRefusals(t *testing.T) {
	c := start(t, RoleAgent, nil)
	long := strings.Repeat("x", 129)
	for _, r := range []struct {
		status       int
		method, path string
		body         any
	}{
		{400, "PUT", "/v1/applications/" + long, directives("")},
		{400, "PUT", "/v1/applications/a%20b", directives("")},
		{400, "PUT", "/v1/applications/", directives("")},
		{400, "PUT", "/v1/applications/" + url.PathEscape("ä"), directives("")},
		{400, "PUT", "/v1/applications/a", "{"},
		{400, "PUT", "/v1/applications/a", "{}"},
		{400, "PUT", "/v1/applications/a", `{"directive":"x"}`},
		{400, "PUT", "/v1/applications/a", `{"directives":""}{}`},
		{413, "PUT", "/v1/applications/a", directives(strings.Repeat("# comment\n", maxBody/10+1))},
		{400, "DELETE", "/v1/applications/a?timeout_ms=-1", nil},
		{403, "POST", "/v1/validate", directives("")},
		{404, "GET", "/", nil},
		{404, "GET", "/v2/status", nil},
		{404, "PUT", "/v1/test/faults", object{}},
		{404, "GET", "/v1/applications/a/b/c", nil},
		{405, "POST", "/v1/status", nil},
		{405, "PATCH", "/v1/applications/a", nil},
		{405, "GET", "/v1/applications/a/evaluate", nil},
		{404, "POST", "/v1/applications/a/evaluate", object{"method": "GET", "uri": "/"}},
		{400, "POST", "/v1/applications/a/evaluate", object{"body_base64": "?"}},
		{400, "POST", "/v1/applications/a/evaluate", object{"src_ip": "localhost"}},
	} {
		got := c.do(r.status, r.method, r.path, r.body)
		if e, ok := got["error"].(object); !ok || e["message"] == "" {
			t.Errorf("%s %s: %v", r.method, r.path, got)
		}
	}
}

func TestEvaluate(t *testing.T) {
	c := start(t, RoleAgent, nil)
	c.do(200, "PUT", "/v1/applications/a", directives(waftest.Application))
	body := object{
		"id": waftest.ID("1.1.5.4.B.W-"), "method": "POST", "uri": "/x?y=z", "version": "1.1",
		"headers":     [][2]string{{"Host", "x.example"}, {"User-Agent", "u"}, {"Accept", "*/*"}, {"Content-Type", "application/json"}, {"Content-Length", "20"}},
		"body_base64": base64.StdEncoding.EncodeToString([]byte(`{"q":"1' or 1=1--"}`)),
		"src_ip":      "192.0.2.1", "src_port": 1, "dst_ip": "2001:db8::1", "dst_port": 80,
	}
	got := c.do(200, "POST", "/v1/applications/a/evaluate", body)
	if got["action"] != "deny" || got["status"] != float64(403) || got["data"] != "" || got["rule_id"] != float64(949110) || got["anomaly_score"] != float64(5) || len(got["rules"].([]any)) != 2 {
		t.Errorf("%v", got)
	}
	body["body_base64"] = ""
	got = c.do(200, "POST", "/v1/applications/a/evaluate", body)
	if got["action"] != "allow" || got["status"] != float64(0) || got["rules"] == nil {
		t.Errorf("%v", got)
	}
}

func TestDrainTimeout(t *testing.T) {
	c := start(t, RoleAgent, func(o *Options) { o.TestFaults = true })
	c.do(200, "PUT", "/v1/applications/a", directives(waftest.Tiny("evil", 190000)))
	c.do(200, "PUT", "/v1/test/faults", object{"delay_ms": 400})
	done := make(chan object, 1)
	go func() {
		done <- c.do(200, "POST", "/v1/applications/a/evaluate", object{"method": "GET", "uri": "/evil"})
	}()
	for c.srv.opt.Engine.Running() == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := c.do(202, "DELETE", "/v1/applications/a?timeout_ms=10", nil); got["state"] != "draining" {
		t.Errorf("%v", got)
	}
	items := c.do(200, "GET", "/v1/applications", nil)["items"].([]any)
	if len(items) != 1 || items[0].(object)["state"] != "draining" {
		t.Errorf("%v", items)
	}
	if got := <-done; got["action"] != "deny" {
		t.Errorf("%v", got)
	}
	c.do(400, "PUT", "/v1/test/faults", object{"delay": 1})
	c.do(200, "PUT", "/v1/test/faults", object{"panic": true})
	c.do(200, "PUT", "/v1/applications/a", directives(waftest.Tiny("evil", 190000)))
	c.do(500, "POST", "/v1/applications/a/evaluate", object{"method": "GET", "uri": "/evil"})
}

func TestValidator(t *testing.T) {
	c := start(t, RoleValidator, nil)
	if got := c.do(200, "GET", "/v1/status", nil); got["role"] != "validator" {
		t.Errorf("%v", got)
	}
	c.do(403, "PUT", "/v1/applications/a", directives(""))
	c.do(403, "DELETE", "/v1/applications/a", nil)
	c.do(403, "POST", "/v1/applications/a/evaluate", object{})
	got := c.do(200, "POST", "/v1/validate", directives(waftest.Application))
	if got["digest"] != waf.Digest(waftest.Application) || got["rule_count"].(float64) < 500 || got["load_ms"].(float64) <= 0 {
		t.Errorf("%v", got)
	}
	got = c.do(422, "POST", "/v1/validate", directives("SecRuleEngine On\nSecAuditLog /tmp/x\n"))
	if e := got["error"].(object); e["line"] != float64(2) || e["directive"] != "SecAuditLog /tmp/x" {
		t.Errorf("%v", got)
	}
	if f := got["findings"].([]any)[0].(object); f["code"] != "file-directive" || f["severity"] != "error" {
		t.Errorf("%v", got)
	}
}

func TestValidationTimeout(t *testing.T) {
	recycled := make(chan string, 1)
	c := start(t, RoleValidator, func(o *Options) {
		o.ValidationTimeout, o.ValidationWait = 100*time.Millisecond, 50*time.Millisecond
		o.Recycle = func(reason string) {
			select {
			case recycled <- reason:
			default:
			}
		}
	})
	hold := make(chan struct{})
	c.srv.load = func(text string, opt waf.Options) (*waf.Loaded, error) {
		if text == "hang" {
			<-hold
		}
		return waf.Load("", opt)
	}
	code := func(status int, text string) {
		t.Helper()
		got := c.do(status, "POST", "/v1/validate", directives(text))
		want := map[int]string{422: "too-expensive", 503: "busy"}[status]
		if e, _ := got["error"].(object); status != 200 && (e["code"] != want || e["message"] == "") {
			t.Errorf("%v", got)
		}
	}
	code(422, "hang")
	code(200, "") // one that hangs leaves a place
	code(422, "hang")
	code(503, "")
	select {
	case <-recycled:
	case <-time.After(5 * time.Second):
		t.Error("compilations that never end did not end the process")
	}
	close(hold)
	code(200, "")
}

func TestValidatorEndsWhenLarge(t *testing.T) {
	recycled := make(chan string, 1)
	c := start(t, RoleValidator, func(o *Options) {
		o.MemoryExceeded = func() bool { return true }
		o.Recycle = func(reason string) { recycled <- reason }
	})
	c.do(422, "POST", "/v1/validate", directives("SecFoo"))
	if reason := <-recycled; !strings.Contains(reason, "memory") {
		t.Error(reason)
	}
	c.do(200, "GET", "/v1/status", nil)
	if len(recycled) != 0 {
		t.Error("recycled by another request")
	}
}

func TestRefusalsHaveCodes(t *testing.T) {
	c := start(t, RoleValidator, nil)
	for text, want := range map[string]struct {
		status int
		code   string
	}{
		strings.Repeat("# comment\n", maxBody/10+1):                     {413, "too-large"},
		strings.Repeat("# comment\n", 1<<18):                            {422, "too-large"},
		`SecRule ARGS "` + strings.Repeat(".{0,1000}", 30) + `" "id:1"`: {422, "too-expensive"},
		"SecFoo": {422, "engine-error"},
	} {
		got := c.do(want.status, "POST", "/v1/validate", directives(text))
		if e, _ := got["error"].(object); e["code"] != want.code || e["message"] == "" {
			t.Errorf("%.40q: %.300s", text, fmt.Sprint(got))
		}
	}
}

func TestMetrics(t *testing.T) {
	c := start(t, RoleAgent, nil)
	resp, err := c.http.Get("http://agent/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || !bytes.Contains(b, []byte(`guard_spoa_transactions_total{action="deny"}`)) {
		t.Errorf("%s", b)
	}
}
