package control

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/waf"
)

func (s *Server) status(w http.ResponseWriter, _ *http.Request, _ string) error {
	i := s.opt.Info
	applications, inFlight := 0, int64(0)
	if s.opt.Engine != nil {
		applications, inFlight = s.opt.Engine.Registry.Count(), s.opt.Engine.Registry.InFlight()
	}
	write(w, http.StatusOK, map[string]any{
		"version": i.Version, "coraza_version": i.CorazaVersion, "crs_version": i.CRSVersion,
		"pid": os.Getpid(), "started_at": i.StartedAt.UTC().Format(time.RFC3339), "role": i.Role,
		"applications": applications, "in_flight": inFlight, "max_frame_size": i.MaxFrameSize, "config": i.Config,
	})
	return nil
}

// traffic tells counts with the process that counted: they begin at 0 with it.
func (s *Server) traffic(w http.ResponseWriter, _ *http.Request, _ string) error {
	var vhosts map[uint32]waf.Counts
	if s.opt.Engine != nil {
		vhosts = s.opt.Engine.Traffic.Vhosts()
	}
	if vhosts == nil {
		vhosts = map[uint32]waf.Counts{}
	}
	write(w, http.StatusOK, map[string]any{
		"pid": os.Getpid(), "started_at": s.opt.Info.StartedAt.UTC().Format(time.RFC3339), "vhosts": vhosts,
	})
	return nil
}

type applicationItem struct {
	Name      string     `json:"name"`
	Digest    string     `json:"digest"`
	RuleCount int        `json:"rule_count"`
	LoadedAt  string     `json:"loaded_at"`
	InFlight  int64      `json:"in_flight"`
	Source    waf.Source `json:"source"`
	State     string     `json:"state"`
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request, _ string) error {
	items := []applicationItem{}
	if s.opt.Engine != nil {
		for _, a := range s.opt.Engine.Registry.List() {
			state := "serving"
			if a.Draining() {
				state = "draining"
			}
			items = append(items, applicationItem{
				Name: a.Name, Digest: a.Digest, RuleCount: a.RuleCount, LoadedAt: a.LoadedAt.UTC().Format(time.RFC3339Nano),
				InFlight: a.InFlight(), Source: a.Source, State: state,
			})
		}
	}
	write(w, http.StatusOK, map[string]any{"items": items})
	return nil
}

// directivesBody is the body of PUT and of validation. The pointer tells an absent key from an empty text.
type directivesBody struct {
	Directives *string `json:"directives"`
}

func readDirectives(r *http.Request) (string, error) {
	var body directivesBody
	if err := read(r, &body); err != nil {
		return "", err
	}
	if body.Directives == nil {
		return "", problem(http.StatusBadRequest, "directives is missing")
	}
	return *body.Directives, nil
}

func (s *Server) agent(name string) error {
	if s.opt.Engine == nil {
		return problem(http.StatusForbidden, "this process only validates")
	}
	if !waf.ValidName(name) {
		return problem(http.StatusBadRequest, "a name has 1 to 128 letters, digits, dots, underscores and hyphens")
	}
	return nil
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, name string) error {
	if err := s.agent(name); err != nil {
		return err
	}
	text, err := readDirectives(r)
	if err != nil {
		return err
	}
	begin := time.Now()
	// Over the socket only embedded files can be named, whatever the file of the agent may.
	app, replaced, err := s.opt.Engine.Registry.Put(r.Context(), name, waf.SourceControl, text, waf.Options{})
	if err != nil {
		return err
	}
	write(w, http.StatusOK, map[string]any{
		"name": name, "digest": app.Digest, "rule_count": app.RuleCount, "load_ms": ms(time.Since(begin)),
		"findings": findings(app.Findings), "replaced": replaced,
	})
	return nil
}

const defaultDrain = 30 * time.Second

func (s *Server) remove(w http.ResponseWriter, r *http.Request, name string) error {
	if err := s.agent(name); err != nil {
		return err
	}
	timeout := defaultDrain
	if v := r.URL.Query().Get("timeout_ms"); v != "" {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			return problem(http.StatusBadRequest, "timeout_ms is not a number of milliseconds")
		}
		timeout = time.Duration(n) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	begin := time.Now()
	drained, err := s.opt.Engine.Registry.Delete(ctx, name)
	switch {
	case errors.Is(err, waf.ErrNotFound):
		return problem(http.StatusNotFound, "no such application")
	case err != nil:
		return err
	case !drained:
		write(w, http.StatusAccepted, map[string]any{"name": name, "state": "draining"})
	default:
		write(w, http.StatusOK, map[string]any{"name": name, "waited_ms": time.Since(begin).Milliseconds()})
	}
	return nil
}

type evaluateBody struct {
	ID      string      `json:"id"`
	Method  string      `json:"method"`
	URI     string      `json:"uri"`
	Version string      `json:"version"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body_base64"`
	SrcIP   string      `json:"src_ip"`
	SrcPort int         `json:"src_port"`
	DstIP   string      `json:"dst_ip"`
	DstPort int         `json:"dst_port"`
}

// evaluate asks what a request would get, on the path that a NOTIFY takes.
func (s *Server) evaluate(w http.ResponseWriter, r *http.Request, name string) error {
	if err := s.agent(name); err != nil {
		return err
	}
	var body evaluateBody
	if err := read(r, &body); err != nil {
		return err
	}
	req, err := body.request(name)
	if err != nil {
		return err
	}
	v := s.opt.Engine.Evaluate(r.Context(), req)
	switch v.Fault {
	case "":
	case waf.FaultUnknownApplication:
		return problem(http.StatusNotFound, "no such application")
	case waf.FaultOverload:
		return &failure{http.StatusServiceUnavailable, waf.FaultOverload, waf.FaultOverload}
	default:
		return problem(http.StatusInternalServerError, "%s", v.Fault)
	}
	rules := v.Rules
	if rules == nil {
		rules = []int{}
	}
	write(w, http.StatusOK, map[string]any{
		"action": v.Action, "status": v.Status, "rule_id": v.RuleID, "rules": rules,
		"anomaly_score": v.Score, "data": v.Data,
	})
	return nil
}

func (b *evaluateBody) request(name string) (*waf.Request, error) {
	req := &waf.Request{
		Application: name, ID: b.ID, Method: b.Method, URI: b.URI, Version: b.Version,
		SourcePort: b.SrcPort, DestPort: b.DstPort,
	}
	var err error
	if req.Body, err = base64.StdEncoding.DecodeString(b.Body); err != nil {
		return nil, problem(http.StatusBadRequest, "body_base64: %s", err)
	}
	for _, address := range []struct {
		key, text string
		into      *netip.Addr
	}{{"src_ip", b.SrcIP, &req.Source}, {"dst_ip", b.DstIP, &req.Dest}} {
		if address.text == "" {
			continue
		}
		if *address.into, err = netip.ParseAddr(address.text); err != nil {
			return nil, problem(http.StatusBadRequest, "%s: %s", address.key, err)
		}
	}
	for _, h := range b.Headers {
		req.Headers = append(req.Headers, waf.Header{Name: h[0], Value: h[1]})
	}
	return req, nil
}

func (s *Server) faults(w http.ResponseWriter, r *http.Request, _ string) error {
	var f waf.Faults
	if err := read(r, &f); err != nil {
		return err
	}
	s.opt.Engine.SetFaults(f)
	write(w, http.StatusOK, f)
	return nil
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request, _ string) error {
	if s.opt.Metrics == nil {
		return problem(http.StatusNotFound, "no such resource")
	}
	s.opt.Metrics.ServeHTTP(w, r)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
