package waf

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
)

// canaryRule is the rule by which Guard Proxy proves that an application is enforced.
const canaryRule = 100003

// counted tells whether a rule is a detection: CRS, custom attack rules and the canary. The ranges are stock
// coraza-spoa's.
func counted(id int) bool {
	return id >= 910000 && id < 960000 || id >= 190000 && id < 200000 || id == canaryRule
}

// evaluate runs one transaction. Whatever the engine does, it returns, and the transaction is closed.
func (e *Engine) evaluate(app *Application, req *Request) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("evaluation panicked", "application", app.Name, "id", req.ID,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			v = Verdict{Fault: FaultPanic}
		}
	}()
	begin := time.Now()
	tx := app.engine.NewTransactionWithID(req.ID)
	// Runs while a panic unwinds, too: temporary files are removed in Close.
	defer func() {
		if err := tx.Close(); err != nil {
			e.log.Warn("closing a transaction failed", "application", app.Name, "id", req.ID, "error", err)
		}
	}()
	v = e.judge(tx, req)
	own := checkMultipart(tx, req, &v)
	tx.ProcessLogging()
	rules := tx.MatchedRules()
	for _, m := range rules {
		if id := m.Rule().ID(); counted(id) && m.Message() != "" {
			v.Rules = append(v.Rules, id)
		}
	}
	if own != nil {
		v.Rules = append(v.Rules, own.ID)
	}
	v.Detected = detected(tx, &v, own)
	score, mode := variable(tx, "blocking_inbound_anomaly_score"), variable(tx, "gp_mode")
	v.Score, _ = strconv.Atoi(score)
	if e.events != nil {
		if event := newEvent(app, req, tx, &v, own, mode, begin); event != nil {
			e.events(event)
		}
	}
	return v
}

// checkMultipart denies what bodyFlaw finds, or only reports it where the rules only detect. What the rules
// themselves denied stays theirs.
func checkMultipart(tx types.Transaction, req *Request, v *Verdict) *Match {
	if v.Fault != "" || tx.IsRuleEngineOff() || !tx.IsRequestBodyAccessible() {
		return nil
	}
	flaw := cmp.Or(req.multipartFlaw(), req.unreadForm(tx))
	if flaw == "" {
		return nil
	}
	own := &Match{ID: multipartRule, Message: multipartMessage, Data: flaw, Severity: types.RuleSeverityCritical.String(), Tags: []string{}, Phase: 2}
	if mode, _ := req.gpFlags(); mode != 'D' && v.Action == "allow" && !detectsOnly(tx) {
		*v = Verdict{Action: "deny", Status: 400, RuleID: multipartRule}
		own.Disruptive = true
	}
	return own
}

// detectsOnly looks at a field that is not in the public interface. If it is ever gone the answer is no.
func detectsOnly(tx types.Transaction) bool {
	v := reflect.Indirect(reflect.ValueOf(tx))
	if v.Kind() != reflect.Struct {
		return false
	}
	engine := v.FieldByName("RuleEngine")
	return engine.IsValid() && engine.Type() == reflect.TypeFor[types.RuleEngineStatus]() &&
		types.RuleEngineStatus(engine.Int()) == types.RuleEngineDetectionOnly
}

func (e *Engine) judge(tx types.Transaction, req *Request) Verdict {
	if e.faults.Load().Panic {
		panic("asked for by a test")
	}
	tx.ProcessConnection(address(req.Source), req.SourcePort, address(req.Dest), req.DestPort)
	tx.ProcessURI(req.URI, req.Method, protocol(req.Version))
	for _, h := range req.Headers {
		tx.AddRequestHeader(h.Name, h.Value)
	}
	tx.SetServerName(serverName(req.host()))
	it := tx.ProcessRequestHeaders()
	if it == nil && len(req.Body) > 0 && tx.IsRequestBodyAccessible() {
		var err error
		if it, _, err = tx.WriteRequestBody(req.Body); err != nil {
			return e.broken(req, "request body could not be stored", err)
		}
	}
	if it == nil {
		var err error
		if it, err = tx.ProcessRequestBody(); err != nil {
			return e.broken(req, "request body could not be processed", err)
		}
	}
	if it == nil {
		// WriteRequestBody may have run the rules itself (ProcessPartial).
		it = tx.Interruption()
	}
	return verdictOf(it)
}

func (e *Engine) broken(req *Request, what string, err error) Verdict {
	e.log.Error(what, "application", req.Application, "id", req.ID, slog.Any("error", err))
	return Verdict{Fault: FaultInternal}
}

func verdictOf(it *types.Interruption) Verdict {
	if it == nil {
		return Verdict{Action: "allow"}
	}
	v := Verdict{Action: it.Action, Status: it.Status, RuleID: it.RuleID, Data: Bound(it.Data, 8<<10)}
	if v.Action == "" {
		v.Action = "deny"
	}
	if v.Status == 0 {
		v.Status = 403
		if v.Action == "redirect" {
			v.Status = 302
		}
	}
	return v
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	// A v4-mapped client is the v4 client: @ipMatch compares networks of one family.
	return a.Unmap().String()
}

func variable(tx types.Transaction, name string) string {
	state, ok := tx.(plugintypes.TransactionState)
	if !ok {
		return ""
	}
	if values := state.Variables().TX().Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}
