// Package agent is the contract with HAProxy: which messages, arguments and variables mean what. It stands
// between the protocol and the engine, which do not know each other.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/spop"
	"github.com/guard-proxy/guard-proxy/spoa/waf"
)

// The messages of coraza-spoa.
const (
	messageRequest  = "coraza-req"
	messageResponse = "coraza-res"
)

// maxRuleIDs bounds the variable rule_ids, in bytes.
const maxRuleIDs = 8 << 10

// Agent answers NOTIFY frames.
type Agent struct {
	ctx    context.Context
	engine *waf.Engine
	log    *slog.Logger
	fault  func(kind string)
}

// New makes an agent. The end of ctx answers what waits for a turn as an overload. fault is told of answers
// that the engine does not see.
func New(ctx context.Context, engine *waf.Engine, log *slog.Logger, fault func(string)) *Agent {
	return &Agent{ctx: ctx, engine: engine, log: log, fault: fault}
}

// Notify implements spop.Handler.
func (a *Agent) Notify(messages []spop.Message, arrived time.Time) (reply spop.Reply) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("answering panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply = a.refuse(waf.FaultPanic)
		}
	}()
	for i := range messages {
		switch messages[i].Name {
		case messageRequest:
			return a.request(&messages[i], arrived)
		case messageResponse:
			return a.refuse(waf.FaultUnsupported)
		}
	}
	// Messages of others are ignored, as stock does it, and acknowledged, as stock does not.
	return a.refuse(waf.FaultUnsupported)
}

// Malformed implements spop.Handler.
func (a *Agent) Malformed(err error) spop.Reply {
	a.log.Warn("unreadable NOTIFY", "error", err)
	return a.refuse(waf.FaultBadMessage)
}

// Overloaded implements spop.Handler.
func (a *Agent) Overloaded() spop.Reply { return a.refuse(waf.FaultOverload) }

func (a *Agent) refuse(kind string) spop.Reply {
	a.fault(kind)
	return spop.Reply{Actions: []spop.Action{spop.SetTxn("fault", spop.NewString(kind))}}
}

func (a *Agent) request(m *spop.Message, arrived time.Time) spop.Reply {
	req, export, err := parseRequest(m)
	if err != nil {
		return a.Malformed(err)
	}
	req.Arrived = arrived
	v := a.engine.Evaluate(a.ctx, req)
	a.engine.Traffic.Count(req, v)
	return spop.Reply{Actions: variables(req.ID, v, export), Withhold: v.Withhold}
}

// parseRequest reads the arguments of coraza-req, in any order. Unknown names are ignored, and missing ones
// are empty: only the application must be there.
func parseRequest(m *spop.Message) (req *waf.Request, exportRuleIDs bool, err error) {
	req = &waf.Request{}
	var path, query string
	for _, arg := range m.Args {
		v := arg.Value
		switch arg.Name {
		case "app":
			req.Application = v.String()
		case "id":
			req.ID = v.String()
		case "src-ip":
			req.Source = v.Addr()
		case "src-port":
			req.SourcePort = int(v.Int())
		case "dst-ip":
			req.Dest = v.Addr()
		case "dst-port":
			req.DestPort = int(v.Int())
		case "method":
			req.Method = v.String()
		case "path":
			path = v.String()
		case "query":
			query = v.String()
		case "version":
			req.Version = v.String()
		case "headers":
			req.Headers = waf.ParseHeaders(v.Bytes())
		case "body":
			req.Body = v.Bytes()
		case "exportRuleIDs":
			exportRuleIDs = v.Bool()
		}
	}
	if req.Application == "" {
		return nil, false, fmt.Errorf("message %s has no argument app", m.Name)
	}
	req.URI = path
	if query != "" {
		req.URI += "?" + query
	}
	return req, exportRuleIDs, nil
}

// variables are stock coraza-spoa's, and fault.
func variables(id string, v waf.Verdict, exportRuleIDs bool) []spop.Action {
	out := make([]spop.Action, 0, 8)
	set := func(name string, value spop.Value) { out = append(out, spop.SetTxn(name, value)) }
	set("id", spop.NewString(waf.Bound(id, 1024)))
	if v.Fault != "" {
		set("fault", spop.NewString(v.Fault))
		return out
	}
	set("action", spop.NewString(v.Action))
	if v.Action != "allow" {
		set("status", spop.NewInt(int64(v.Status)))
		set("ruleid", spop.NewInt(int64(v.RuleID)))
		if v.Data != "" {
			set("data", spop.NewString(v.Data))
		}
	}
	set("rules_hit", spop.NewInt(int64(len(v.Rules))))
	set("anomaly_score", spop.NewInt(int64(v.Score)))
	if exportRuleIDs && len(v.Rules) > 0 {
		set("rule_ids", spop.NewString(ruleIDs(v.Rules)))
	}
	return out
}

func ruleIDs(ids []int) string {
	b := make([]byte, 0, 7*len(ids))
	for _, id := range ids {
		if len(b)+12 > maxRuleIDs {
			break
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return string(b)
}
