package telemetry

import (
	"bytes"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEventLogNeverBlocks(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	e := &EventLog{log: slog.New(slog.DiscardHandler), lines: make(chan []byte, 8), quit: make(chan struct{}), done: make(chan struct{}), out: w}
	go e.run()
	line := bytes.Repeat([]byte("x"), 64<<10)
	begin := time.Now()
	for range 100 { // nobody reads: 64 KiB fit into the pipe, 8 lines into the buffer
		e.Write(line)
	}
	if time.Since(begin) > time.Second || e.Dropped() < 80 {
		t.Errorf("%s, %d dropped", time.Since(begin), e.Dropped())
	}
	e.Close(10 * time.Millisecond)
	_ = w.Close()
}

func TestEventLogSurvivesItsReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	var log bytes.Buffer
	e := &EventLog{log: slog.New(slog.NewTextHandler(&log, nil)), lines: make(chan []byte, 8), quit: make(chan struct{}), done: make(chan struct{}), out: w}
	go e.run()
	for range 5 {
		e.Write([]byte("x\n"))
	}
	for e.Dropped() < 5 {
		time.Sleep(time.Millisecond)
	}
	e.Close(time.Second)
	if n := strings.Count(log.String(), "writing an event failed"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestEventLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	e, err := OpenEventLog(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e.Write([]byte("one\n"))
	for e.Written() < 1 {
		time.Sleep(time.Millisecond)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := e.Reopen(); err != nil {
		t.Fatal(err)
	}
	e.Write([]byte("two\n"))
	e.Close(time.Second)
	old, _ := os.ReadFile(path + ".1")
	now, _ := os.ReadFile(path)
	if string(old) != "one\n" || string(now) != "two\n" {
		t.Errorf("%q %q", old, now)
	}
	if _, err := OpenEventLog(filepath.Join(path, "x"), nil); err == nil {
		t.Error("a path below a file was opened")
	}
}

func TestMetrics(t *testing.T) {
	m := NewMetrics("1")
	one := func() float64 { return 1 }
	m.Register(Gauges{one, one, one, one, one, one})
	m.Judged("deny", "", time.Millisecond)
	m.Judged("", "overload", time.Millisecond)
	m.Judged("something new", "", time.Millisecond)
	m.Load(time.Millisecond)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, _ := io.ReadAll(w.Body)
	for _, want := range []string{
		`guard_spoa_transactions_total{action="deny"} 1`, `guard_spoa_transactions_total{action="other"} 1`,
		`guard_spoa_faults_total{kind="overload"} 1`, "guard_spoa_transaction_duration_seconds_count 3",
		"guard_spoa_load_duration_seconds_count 1", "guard_spoa_queue 1", "guard_spoa_events_dropped_total 1",
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s is missing", want)
		}
	}
}
