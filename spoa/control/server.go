// Package control is the interface of the control plane: HTTP and JSON on a Unix socket that only its owner
// may use.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/waf"
)

// Roles of a process. Validation compiles what users type, which may take long or much memory, so it never
// runs in the process that serves requests.
const (
	RoleAgent     = "agent"
	RoleValidator = "validator"
)

// Info is what a server tells about its process.
type Info struct {
	Version       string
	CorazaVersion string
	CRSVersion    string
	Role          string
	StartedAt     time.Time
	MaxFrameSize  uint32
	Config        string
}

// Options of a server.
type Options struct {
	Info   Info
	Engine *waf.Engine // nil for a validator
	// TestFaults opens PUT /v1/test/faults.
	TestFaults bool
	// Validations at the same time, how long one waits for its place, and how long it may take.
	Validations       int
	ValidationWait    time.Duration
	ValidationTimeout time.Duration
	// Recycle is called after the answer to a validation once MemoryExceeded says so, or when a compilation
	// does not end at all. It should end the process.
	Recycle        func(reason string)
	MemoryExceeded func() bool
	Metrics        http.Handler
	Logger         *slog.Logger
}

// maxBody bounds a request body in bytes.
const maxBody = 8 << 20

// Server answers on the control socket.
type Server struct {
	opt         Options
	http        *http.Server
	validations chan struct{}
	load        func(text string, opt waf.Options) (*waf.Loaded, error)
}

// New makes a server.
func New(opt Options) *Server {
	if opt.Validations == 0 {
		opt.Validations = 2
	}
	if opt.ValidationTimeout == 0 {
		opt.ValidationTimeout = 5 * time.Second
	}
	if opt.ValidationWait == 0 {
		opt.ValidationWait = 5 * time.Second
	}
	if opt.Recycle == nil {
		opt.Recycle = func(string) {}
	}
	if opt.MemoryExceeded == nil {
		opt.MemoryExceeded = func() bool { return false }
	}
	s := &Server{opt: opt, validations: make(chan struct{}, opt.Validations), load: waf.Load}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		// No ReadTimeout: it would end a DELETE that waits for its transactions, as it covers the handler, too.
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(opt.Logger.Handler(), slog.LevelWarn),
	}
	return s
}

// Serve answers until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// handler answers a request, or returns the error to answer with.
type handler func(s *Server, w http.ResponseWriter, r *http.Request, name string) error

// route is a resource: its methods.
type route map[string]handler

func (s *Server) route(path string) (route, string) {
	switch path {
	case "/v1/status":
		return route{http.MethodGet: (*Server).status}, ""
	case "/v1/traffic":
		return route{http.MethodGet: (*Server).traffic}, ""
	case "/v1/applications":
		return route{http.MethodGet: (*Server).list}, ""
	case "/v1/validate":
		return route{http.MethodPost: (*Server).validate}, ""
	case "/metrics":
		return route{http.MethodGet: (*Server).metrics}, ""
	case "/v1/test/faults":
		if s.opt.TestFaults && s.opt.Engine != nil {
			return route{http.MethodPut: (*Server).faults}, ""
		}
		return nil, ""
	}
	rest, ok := strings.CutPrefix(path, "/v1/applications/")
	if !ok {
		return nil, ""
	}
	name, verb, has := strings.Cut(rest, "/")
	switch {
	case !has:
		return route{http.MethodPut: (*Server).put, http.MethodDelete: (*Server).remove}, name
	case verb == "evaluate":
		return route{http.MethodPost: (*Server).evaluate}, name
	default:
		return nil, ""
	}
}

// ServeHTTP routes by hand: everything is answered in JSON, 404 and 405 too.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			s.opt.Logger.Error("control request panicked", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			s.fail(w, r, problem(http.StatusInternalServerError, "internal error"))
		}
	}()
	methods, name := s.route(r.URL.Path)
	if methods == nil {
		s.fail(w, r, problem(http.StatusNotFound, "no such resource"))
		return
	}
	h := methods[r.Method]
	if h == nil {
		allow := make([]string, 0, len(methods))
		for m := range methods {
			allow = append(allow, m)
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		s.fail(w, r, problem(http.StatusMethodNotAllowed, "method not allowed"))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := h(s, w, r, name); err != nil {
		s.fail(w, r, err)
	}
	if r.URL.Path == "/v1/validate" {
		s.recycleIfLarge(w)
	}
}

// failure is an error with its HTTP status.
type failure struct {
	status  int
	code    string
	message string
}

func (f *failure) Error() string { return f.message }

func problem(status int, format string, args ...any) error {
	return &failure{status, codes[status], fmt.Sprintf(format, args...)}
}

// The codes that callers tell apart: too-large and too-expensive are the content's fault, busy is nobody's.
const (
	codeTooLarge     = "too-large"
	codeTooExpensive = "too-expensive"
	codeBusy         = "busy"
)

// codes of statuses that have only one.
var codes = map[int]string{
	http.StatusBadRequest: "bad-request", http.StatusForbidden: "wrong-role", http.StatusNotFound: "not-found",
	http.StatusMethodNotAllowed: "method-not-allowed", http.StatusRequestEntityTooLarge: codeTooLarge,
	http.StatusUnprocessableEntity: codeTooExpensive, http.StatusServiceUnavailable: codeBusy,
	http.StatusInternalServerError: "internal",
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var (
		refused *waf.LoadError
		known   *failure
	)
	switch {
	case errors.As(err, &refused):
		write(w, http.StatusUnprocessableEntity, map[string]any{"error": refused, "findings": findings(refused.Findings)})
	case errors.As(err, &known):
		write(w, known.status, errorBody(known.code, known.message))
	case r.Context().Err() != nil:
		write(w, http.StatusServiceUnavailable, errorBody(codeBusy, "the request was given up"))
	default:
		s.opt.Logger.Error("control request failed", "path", r.URL.Path, "error", err)
		write(w, http.StatusInternalServerError, errorBody("internal", "internal error"))
	}
}

func errorBody(code, message string) map[string]any {
	return map[string]any{"error": map[string]string{"message": message, "code": code}}
}

// write encodes before it sends the status: half an answer is worse than a 500.
func write(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"message":"internal error","code":"internal"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// read decodes a JSON body. Unknown keys are refused: a typo in an optional key would be silent otherwise.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return problem(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", large.Limit)
		}
		return problem(http.StatusBadRequest, "invalid JSON: %s", err)
	}
	if d.More() {
		return problem(http.StatusBadRequest, "invalid JSON: more than one value")
	}
	return nil
}

// findings makes an empty list instead of null.
func findings(f []waf.Finding) []waf.Finding {
	if f == nil {
		return []waf.Finding{}
	}
	return f
}
