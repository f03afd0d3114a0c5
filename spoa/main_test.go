package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/internal/spoptest"
	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

// writeConfig makes a configuration file with one inline application each.
func writeConfig(t *testing.T, path, bind string, apps map[string]string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "bind: unix://%s\nlog_format: json\napplications:\n", bind)
	for name, text := range apps {
		fmt.Fprintf(&b, "  - name: %s\n    log_format: json\n    directives: |\n", name)
		for line := range strings.Lines(text) {
			b.WriteString("      " + line)
		}
		b.WriteByte('\n')
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startAgent runs an agent in this process, until the test ends.
func startAgent(t *testing.T, dir string, apps map[string]string, flags ...string) (spop string, stop func() error) {
	t.Helper()
	spop = filepath.Join(dir, "spop.sock")
	cfg := filepath.Join(dir, "c.yaml")
	writeConfig(t, cfg, spop, apps)
	o, err := parseFlags(append([]string{"-config", cfg, "-event-log", filepath.Join(dir, "events")}, flags...))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runAgent(ctx, o, slog.New(slog.DiscardHandler), new(slog.LevelVar)) }()
	for range 500 {
		if c, err := net.Dial("unix", spop); err == nil {
			_ = c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { _ = stop() })
	return spop, stop
}

func ask(t *testing.T, path, app, query string) map[string]any {
	t.Helper()
	c, err := spoptest.Dial("unix", path, 16380)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.Notify(1, 1, "coraza-req", spoptest.Arg{Name: "app", Value: app}, spoptest.Arg{Name: "id", Value: "x"},
		spoptest.Arg{Name: "method", Value: "GET"}, spoptest.Arg{Name: "path", Value: "/"}, spoptest.Arg{Name: "query", Value: query})
	f, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	return f.Values
}

func TestReloadIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	spop, stop := startAgent(t, dir, map[string]string{"a": waftest.Tiny("evil", 190000)})
	cfg := filepath.Join(dir, "c.yaml")
	hangup := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	await := func(app, query, key, want string) {
		t.Helper()
		var got map[string]any
		for range 100 {
			if got = ask(t, spop, app, query); got[key] == want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s: %v, want %s %s", app, got, key, want)
	}
	await("a", "x=evil", "action", "deny")
	writeConfig(t, cfg, spop, map[string]string{"a": waftest.Tiny("bad", 190000), "b": waftest.Tiny("evil", 190000)})
	hangup()
	await("b", "x=evil", "action", "deny")
	await("a", "x=bad", "action", "deny")
	writeConfig(t, cfg, spop, map[string]string{"b": "SecFoo"})
	hangup()
	time.Sleep(100 * time.Millisecond)
	await("a", "x=bad", "action", "deny")
	writeConfig(t, cfg, spop, map[string]string{"b": waftest.Tiny("evil", 190000)})
	hangup()
	await("a", "", "fault", "unknown-application")
	if err := stop(); err != nil {
		t.Error(err)
	}
	events, err := os.ReadFile(filepath.Join(dir, "events"))
	if err != nil || !strings.Contains(string(events), `"rule_id":190000`) {
		t.Errorf("%s %v", events, err)
	}
	if _, err := os.Stat(spop); !os.IsNotExist(err) {
		t.Error("the socket was left behind")
	}
}

func TestValidateNamesTheApplication(t *testing.T) {
	dir := t.TempDir()
	cfg := filepath.Join(dir, "c.yaml")
	writeConfig(t, cfg, "/x", map[string]string{"fine": waftest.Tiny("a", 190000), "broken-one": "SecRuleEngine On\nSecFoo"})
	o, err := parseFlags([]string{"-validate", "-config", cfg})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if err := validate(o, log); err == nil || !strings.Contains(err.Error(), `application "broken-one": line 2: unknown directive "secfoo"`) {
		t.Error(err)
	}
	writeConfig(t, cfg, "/x", map[string]string{"fine": waftest.Tiny("a", 190000)})
	if err := validate(o, log); err != nil {
		t.Error(err)
	}
	extra := filepath.Join(dir, "extra.conf")
	_ = os.WriteFile(extra, []byte("SecRuleEngine On\n"), 0o600)
	writeConfig(t, cfg, "/x", map[string]string{"os": "Include " + extra})
	if err := validate(o, log); err != nil {
		t.Error(err)
	}
	o.strict = true
	if err := validate(o, log); err == nil {
		t.Error("-strict included a file of the system")
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-validate"}, {"-validator"}, {"-config", "x", "y"}, {"-config", "x", "-max-frame-size", "10"},
		{"-config", "x", "-socket-mode", "9"}, {"-nope"}, {"-config", "x", "-max-evaluations", "0"},
	} {
		null, stderr := os.NewFile(0, ""), os.Stderr
		os.Stderr = null
		_, err := parseFlags(args)
		os.Stderr = stderr
		if err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
	if _, err := parseFlags([]string{"-config", "x", "-autoreload", "-metrics-addr", "127.0.0.1:0", "-socket-mode", "660"}); err != nil {
		t.Error(err)
	}
	for in, want := range map[string]int64{"512MiB": 512 << 20, "1GiB": 1 << 30, "1000": 1000, "10B": 10} {
		if got, err := parseBytes(in); err != nil || got != want {
			t.Errorf("%s: %d %v", in, got, err)
		}
	}
	for _, in := range []string{"", "MiB", "-1", "1.5GiB", "9999999999GiB"} {
		if _, err := parseBytes(in); err == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

func TestValidatorMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	for limit, o := range map[string]*options{
		validatorMemoryLimit: {validator: true}, "3GiB": {validator: true, memoryLimit: "3GiB"}, "": {},
	} {
		if got := o.effectiveMemoryLimit(); got != limit {
			t.Errorf("%q, want %q", got, limit)
		}
	}
	t.Setenv("GOMEMLIMIT", "5GiB")
	if got := (&options{validator: true}).effectiveMemoryLimit(); got != "" {
		t.Errorf("%q in spite of GOMEMLIMIT", got)
	}
	if n := residentMemory(); n < 1<<20 || n > 1<<40 {
		t.Errorf("%d bytes resident", n)
	}
	if !exceeds(1, residentMemory) || exceeds(1<<40, residentMemory) {
		t.Error("exceeds")
	}
}

func TestValidatorIsRecycled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	o, err := parseFlags([]string{"-validator", "-control", path})
	if err != nil || o.validatorMaxRSS != validatorMaxRSS {
		t.Fatal(o, err)
	}
	o.validatorMaxRSS = 1
	done := make(chan error, 1)
	go func() { done <- runValidator(context.Background(), o, slog.New(slog.DiscardHandler)) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	for range 500 {
		resp, err := client.Post("http://x/v1/validate", "application/json", strings.NewReader(`{"directives":"SecRuleEngine On"}`))
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		b, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 || err != nil || !strings.Contains(string(b), "digest") {
			t.Errorf("%d %s %v", resp.StatusCode, b, err)
		}
		break
	}
	if err := <-done; err != errRecycle {
		t.Error(err)
	}
}

const haproxyConf = `global
    maxconn 100
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend f
    bind unix@%[1]s/front.sock
    http-request set-var(txn.gp.app) str(app)
    http-request set-var(txn.gp.wid) str(%[2]s)
    filter spoe engine coraza config %[1]s/spoe.cfg
    http-request wait-for-body time 2s
    http-request send-spoe-group coraza coraza-req
    http-request return status 500 content-type text/plain lf-string "fault=%%[var(txn.coraza.fault)] error=%%[var(txn.coraza.error)]" if { var(txn.coraza.fault) -m found } or { var(txn.coraza.error) -m found }
    http-request deny deny_status 403 if { var(txn.coraza.action) -m str deny }
    http-after-response set-header x-ids %%[var(txn.coraza.rule_ids)]
    default_backend b
backend b
    server s %[3]s
backend coraza-spoa
    mode tcp
    option spop-check
    server a unix@%[1]s/spop.sock check inter 100ms
`

const spoeConf = `[coraza]
spoe-agent coraza-agent
    groups      coraza-req
    option      var-prefix      coraza
    option      set-on-error    error
    timeout     hello           1s
    timeout     idle            2m
    timeout     processing      2s
    use-backend coraza-spoa
spoe-message coraza-req
    args app=var(txn.gp.app) id=var(txn.gp.wid) src-ip=src src-port=src_port dst-ip=dst dst-port=dst_port method=method path=path query=query version=req.ver headers=req.hdrs body=req.body exportRuleIDs=bool(true)
spoe-group coraza-req
    messages coraza-req
`

func TestThroughHAProxy(t *testing.T) {
	haproxy, err := exec.LookPath(cmp.Or(os.Getenv("HAPROXY"), "haproxy"))
	if err != nil {
		haproxy = cmp.Or(os.Getenv("HAPROXY"), "/usr/sbin/haproxy") // not on everybody's PATH; without it the test fails
	}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer origin.Close()
	dir, err := os.MkdirTemp("", "gs") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	_, stop := startAgent(t, dir, map[string]string{"app": waftest.Application})
	files := map[string]string{
		"haproxy.cfg": fmt.Sprintf(haproxyConf, dir, waftest.ID("1.1.5.4.B.W-"), origin.Listener.Addr()),
		"spoe.cfg":    spoeConf,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(haproxy, "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	}()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", filepath.Join(dir, "front.sock"))
		},
	}}
	send := func(body, query string) (int, string, string) {
		t.Helper()
		for range 100 {
			resp, err := client.Post("http://www.example.org/?"+query, "application/x-www-form-urlencoded", strings.NewReader(body))
			if err != nil {
				time.Sleep(50 * time.Millisecond)
				continue
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			return resp.StatusCode, string(b), resp.Header.Get("x-ids")
		}
		t.Fatal("HAProxy does not answer")
		return 0, "", ""
	}
	await := func(status int, body, query string) string {
		t.Helper()
		var got int
		var text, ids string
		for range 60 { // until the check has found the agent
			if got, text, ids = send(body, query); got == status {
				return ids
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("status %d, want %d: %s", got, status, text)
		return ""
	}
	await(200, "a=b", "x=y")
	if ids := await(403, "q=1%27%20or%201%3D1--", ""); ids != "942100,949110" {
		t.Errorf("rules %s", ids)
	}
	await(403, "a=b", "q=%3Cscript%3Ealert(1)%3C/script%3E")
	for range 50 {
		if status, body, _ := send("a=b", ""); status != 200 || body != "a=b" {
			t.Fatalf("%d %s", status, body)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	await(500, "a=b", "")
}
