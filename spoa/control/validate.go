package control

import (
	"net/http"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/waf"
)

// stuckFactor times the timeout after which a compilation is not expected to end any more.
const stuckFactor = 4

type validation struct {
	loaded *waf.Loaded
	err    error
}

// validate compiles a text and throws it away. A compilation cannot be interrupted, so one that takes too
// long keeps its place until it ends: two of them at most burn the processors.
func (s *Server) validate(w http.ResponseWriter, r *http.Request, _ string) error {
	if s.opt.Engine != nil {
		return problem(http.StatusForbidden, "validation never runs in the process that serves requests: start one with -validator")
	}
	text, err := readDirectives(r)
	if err != nil {
		return err
	}
	wait := time.NewTimer(s.opt.ValidationWait)
	defer wait.Stop()
	select {
	case s.validations <- struct{}{}:
	case <-wait.C:
		return problem(http.StatusServiceUnavailable, "%d validations are in work and did not end within %s", cap(s.validations), s.opt.ValidationWait)
	case <-r.Context().Done():
		return r.Context().Err()
	}
	done := make(chan validation, 1)
	ended := make(chan struct{})
	go func() {
		defer func() { close(ended); <-s.validations }()
		loaded, err := s.load(text, waf.Options{})
		if err == nil {
			_ = loaded.Close()
		}
		done <- validation{loaded, err}
	}()
	limit := time.NewTimer(s.opt.ValidationTimeout)
	defer limit.Stop()
	select {
	case <-r.Context().Done():
		s.recycleIfStuck(ended)
		return r.Context().Err()
	case <-limit.C:
		s.recycleIfStuck(ended)
		// The content's fault, unlike 503: asking again or elsewhere brings the same.
		return problem(http.StatusUnprocessableEntity, "the text is too expensive: it did not compile within %s", s.opt.ValidationTimeout)
	case v := <-done:
		if v.err != nil {
			return v.err
		}
		write(w, http.StatusOK, map[string]any{
			"digest": v.loaded.Digest, "rule_count": v.loaded.RuleCount, "load_ms": ms(v.loaded.Took),
			"findings": findings(v.loaded.Findings),
		})
		return nil
	}
}

// recycleIfStuck ends the process if a compilation that was given up does not end later either: two such would
// leave no place for others.
func (s *Server) recycleIfStuck(ended <-chan struct{}) {
	time.AfterFunc((stuckFactor-1)*s.opt.ValidationTimeout, func() {
		select {
		case <-ended:
		default:
			s.opt.Recycle("a compilation does not end")
		}
	})
}

// recycleIfLarge ends a validator that has grown: memory that failed loads leave behind, and the heap a large
// text has left, are given back best by a new process.
func (s *Server) recycleIfLarge(w http.ResponseWriter) {
	if s.opt.MemoryExceeded() {
		_ = http.NewResponseController(w).Flush()
		s.opt.Recycle("the process uses too much memory")
	}
}
