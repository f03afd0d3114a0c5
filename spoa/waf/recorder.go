package waf

import (
	"io"

	"github.com/corazawaf/coraza/v3/debuglog"
)

// recorder is the engine's logger. While a text is loaded it tells which directive the engine is about to
// run: errors do not say it, and the line numbers of the engine count through all included files. Afterwards
// it is silent and costs nothing.
type recorder struct {
	loading   bool
	directive func(text string)
	warning   func(message string)
}

func (r *recorder) WithOutput(io.Writer) debuglog.Logger          { return r }
func (r *recorder) WithLevel(debuglog.Level) debuglog.Logger      { return r }
func (r *recorder) With(...debuglog.ContextField) debuglog.Logger { return r }
func (r *recorder) Trace() debuglog.Event                         { return debuglog.Noop().Trace() }
func (r *recorder) Info() debuglog.Event                          { return debuglog.Noop().Info() }
func (r *recorder) Error() debuglog.Event                         { return debuglog.Noop().Error() }
func (r *recorder) Debug() debuglog.Event                         { return r.event(false) }
func (r *recorder) Warn() debuglog.Event                          { return r.event(true) }

func (r *recorder) event(warning bool) debuglog.Event {
	if !r.loading {
		return debuglog.Noop().Debug()
	}
	return &recordedEvent{Event: debuglog.Noop().Debug(), recorder: r, warning: warning}
}

type recordedEvent struct {
	debuglog.Event
	recorder *recorder
	warning  bool
	line     string
}

func (e *recordedEvent) Str(key, value string) debuglog.Event {
	if key == "line" {
		e.line = value
	}
	return e
}
func (e *recordedEvent) Int(string, int) debuglog.Event   { return e }
func (e *recordedEvent) Uint(string, uint) debuglog.Event { return e }
func (e *recordedEvent) Bool(string, bool) debuglog.Event { return e }
func (e *recordedEvent) Err(error) debuglog.Event         { return e }
func (e *recordedEvent) IsEnabled() bool                  { return true }

func (e *recordedEvent) Msg(message string) {
	switch {
	case e.warning:
		e.recorder.warning(message)
	case message == "Parsing directive":
		e.recorder.directive(e.line)
	}
}
