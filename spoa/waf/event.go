package waf

import (
	"encoding/json"
	"time"

	"github.com/corazawaf/coraza/v3/types"
)

// Bounds of an event, in bytes. One line is what a log reader takes in one piece.
const (
	MaxEvent   = 64 << 10
	maxString  = 2 << 10
	maxMessage = 512
	maxTags    = 32
	maxTag     = 128
)

// Event is the record of one transaction in which a rule matched.
type Event struct {
	Time        string  `json:"time"`
	ID          string  `json:"id"`
	Application string  `json:"application"`
	Client      string  `json:"client"`
	Method      string  `json:"method"`
	URI         string  `json:"uri"`
	Host        string  `json:"host"`
	Action      string  `json:"action"`
	Status      int     `json:"status"`
	RuleID      int     `json:"rule_id"`
	Score       int     `json:"anomaly_score"`
	Mode        string  `json:"mode,omitempty"` // block or detect, if the rules say it in tx.gp_mode
	Fault       string  `json:"fault,omitempty"`
	DurationMS  float64 `json:"duration_ms"`
	// Detected is what would have been done, had the engine not been in detection only mode.
	Detected  *Detected `json:"detected,omitempty"`
	Rules     []Match   `json:"rules"`
	Truncated bool      `json:"truncated"`
}

// Detected is an interruption that was not carried out.
type Detected struct {
	Action string `json:"action"`
	Status int    `json:"status"`
	RuleID int    `json:"rule_id"`
}

// Match is one matched rule.
type Match struct {
	ID       int      `json:"id"`
	Message  string   `json:"msg"`
	Data     string   `json:"data"`
	Severity string   `json:"severity"`
	Tags     []string `json:"tags"`
	Phase    int      `json:"phase"`
	// Disruptive is true for the rule whose action ended the transaction.
	Disruptive bool `json:"disruptive"`
}

// newEvent describes a transaction; nil if nothing in it is worth a line.
// own is a match of ours beside the rules', or nil.
func newEvent(app *Application, req *Request, tx types.Transaction, v *Verdict, own *Match, mode string, begin time.Time) *Event {
	ev := &Event{Rules: []Match{}}
	cut := func(s string, n int) string {
		if len(s) > n {
			ev.Truncated = true
		}
		return Bound(s, n)
	}
	worth := v.Action != "allow"
	for _, m := range tx.MatchedRules() {
		r := m.Rule()
		logged := logs(m)
		if m.Message() == "" && !logged {
			continue
		}
		// CRS has `nolog` rules with a message that match every ordinary request (901340): they are listed, but
		// make no event.
		worth = worth || logged || counted(r.ID())
		match := Match{
			ID: r.ID(), Message: cut(m.Message(), maxMessage), Data: cut(m.Data(), maxString),
			Severity: r.Severity().String(), Phase: int(r.Phase()), Tags: []string{},
			// The engine calls a rule with `pass` disruptive, too.
			Disruptive: v.Action != "allow" && v.RuleID == r.ID(),
		}
		for i, tag := range r.Tags() {
			if i == maxTags {
				ev.Truncated = true
				break
			}
			match.Tags = append(match.Tags, cut(tag, maxTag))
		}
		ev.Rules = append(ev.Rules, match)
	}
	if own != nil {
		worth = true
		ev.Rules = append(ev.Rules, *own)
	}
	if !worth {
		return nil
	}
	ev.Time = time.Now().UTC().Format(time.RFC3339Nano)
	ev.ID = cut(req.ID, 256)
	ev.Application = app.Name
	ev.Client = address(req.Source)
	ev.Method = cut(req.Method, 64)
	ev.URI = cut(req.URI, maxString)
	ev.Host = cut(req.host(), 256)
	ev.Action, ev.Status, ev.RuleID, ev.Score, ev.Fault = v.Action, v.Status, v.RuleID, v.Score, v.Fault
	switch mode {
	case "B":
		ev.Mode = "block"
	case "D":
		ev.Mode = "detect"
	}
	ev.Detected = v.Detected
	ev.DurationMS = float64(time.Since(begin).Microseconds()) / 1000
	return ev
}

// detected is what would have been done, had the rules not only detected.
func detected(tx types.Transaction, v *Verdict, own *Match) *Detected {
	if d, ok := tx.(interface{ DetectionOnlyInterruption() *types.Interruption }); ok {
		if it := d.DetectionOnlyInterruption(); it != nil {
			would := verdictOf(it)
			return &Detected{Action: would.Action, Status: would.Status, RuleID: would.RuleID}
		}
	}
	if own != nil && !own.Disruptive && v.Action == "allow" {
		return &Detected{Action: "deny", Status: 400, RuleID: own.ID}
	}
	return nil
}

// logs tells whether the rule has the log action. The engine's public interface does not say.
func logs(m types.MatchedRule) bool {
	l, ok := m.(interface{ Log() bool })
	return ok && l.Log()
}

// Line encodes an event in at most MaxEvent bytes, its newline included. Rules are left out from the end.
func (ev *Event) Line() ([]byte, error) {
	for {
		b, err := json.Marshal(ev)
		if err != nil || len(b) < MaxEvent {
			return append(b, '\n'), err
		}
		ev.Truncated = true
		ev.Rules = ev.Rules[:len(ev.Rules)/2]
	}
}
