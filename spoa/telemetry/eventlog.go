// Package telemetry holds the metrics and the log of events.
package telemetry

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// EventLog writes lines without ever making a request wait: what does not fit into its buffer because the
// disk or the reader of a pipe is slow is counted and dropped.
type EventLog struct {
	path    string
	log     *slog.Logger
	lines   chan []byte
	quit    chan struct{}
	done    chan struct{}
	mu      sync.Mutex // of out
	out     io.Writer
	dropped atomic.Int64
	written atomic.Int64
	failing atomic.Bool
}

// bufferedEvents is how many lines may wait. They are 64 KiB at most, and 1 to 4 KiB mostly.
const bufferedEvents = 4096

// OpenEventLog appends to a file, or writes to stdout when path is empty or `-`.
func OpenEventLog(path string, log *slog.Logger) (*EventLog, error) {
	e := &EventLog{path: path, log: log, lines: make(chan []byte, bufferedEvents),
		quit: make(chan struct{}), done: make(chan struct{})}
	if err := e.Reopen(); err != nil {
		return nil, err
	}
	go e.run()
	return e, nil
}

// Reopen opens the file anew, for log rotation.
func (e *EventLog) Reopen() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.path == "" || e.path == "-" {
		e.out = os.Stdout
		return nil
	}
	f, err := os.OpenFile(e.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	if old, ok := e.out.(*os.File); ok {
		_ = old.Close()
	}
	e.out = f
	return nil
}

// Write queues a line.
func (e *EventLog) Write(line []byte) {
	select {
	case e.lines <- line:
	default:
		e.dropped.Add(1)
	}
}

// Dropped is the number of lines that were lost.
func (e *EventLog) Dropped() int64 { return e.dropped.Load() }

// Written is the number of lines that were written.
func (e *EventLog) Written() int64 { return e.written.Load() }

func (e *EventLog) run() {
	defer close(e.done)
	for {
		select {
		case line := <-e.lines:
			e.write(line)
			continue
		default:
		}
		select {
		case line := <-e.lines:
			e.write(line)
		case <-e.quit:
			return
		}
	}
}

func (e *EventLog) write(line []byte) {
	e.mu.Lock()
	_, err := e.out.Write(line)
	e.mu.Unlock()
	if err == nil {
		e.written.Add(1)
		e.failing.Store(false)
		return
	}
	e.dropped.Add(1)
	// Once, not for each line: the log of errors may go to the same full disk.
	if !e.failing.Swap(true) {
		e.log.Error("writing an event failed", "error", err)
	}
}

// Close writes what is queued, for at most the given time. What is written later may be lost.
func (e *EventLog) Close(limit time.Duration) {
	close(e.quit)
	select {
	case <-e.done:
	case <-time.After(limit):
	}
}
