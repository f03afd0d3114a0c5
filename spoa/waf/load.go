package waf

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/types"
)

// Loaded is a compiled rule text.
type Loaded struct {
	Digest    string
	RuleCount int
	Took      time.Duration
	Findings  []Finding

	engine coraza.WAF
}

// Close gives back what the engine keeps for this rule set, above all compiled expressions.
func (l *Loaded) Close() error {
	if c, ok := l.engine.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Digest names a rule text.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Load checks and compiles a rule text. The error is a *LoadError.
func Load(text string, opt Options) (loaded *Loaded, err error) {
	begin := time.Now()
	root := opt.root()
	if len(text) > maxText {
		return nil, refuse(checkBudget(text, nil))
	}
	own, findings := scan("", text)
	findings = append(findings, checkBudget(text, own)...)
	if e := refuse(findings); e != nil {
		return nil, e
	}
	findings = append(findings, checkDirectives(own, opt, root)...)
	if e := refuse(findings); e != nil {
		return nil, e
	}
	src := &sources{root: root}
	src.add(own, "")
	findings = append(findings, src.findings...)
	if e := refuse(findings); e != nil {
		return nil, e
	}

	l := &ledger{order: src.order, rules: map[int]known{}, tags: map[string]int{}, marks: map[string]bool{}, findings: findings}
	log := &recorder{loading: true, directive: l.next, warning: l.warn}
	defer func() {
		// The compiler of a regular expression or a plugin must not take the process with it.
		if p := recover(); p != nil {
			loaded, err = nil, l.fail(fmt.Errorf("the engine panicked: %v", p))
		}
	}()
	cfg := coraza.NewWAFConfig().WithRootFS(root).WithDebugLogger(log).WithDirectives(text)
	engine, err := coraza.NewWAF(experimental.WAFConfigWithRuleObserver(cfg, l.observe))
	log.loading = false
	if err != nil {
		return nil, l.fail(err)
	}
	loaded = &Loaded{Digest: Digest(text), engine: engine}
	for _, mend := range []func(coraza.WAF) error{isolate, dropPrefilters} {
		if err := mend(engine); err != nil {
			_ = loaded.Close()
			return nil, l.fail(err)
		}
	}
	l.finish(own)
	if e := refuse(l.findings); e != nil {
		_ = loaded.Close()
		return nil, e
	}
	if n, ok := engine.(experimental.WAFWithRules); ok {
		loaded.RuleCount = n.RulesCount()
	}
	if loaded.RuleCount == 0 {
		l.findings = append(l.findings, finding(SeverityWarning, "no-rules", "", 0, "", "the text loads no rule"))
	}
	loaded.Findings = l.findings
	loaded.Took = time.Since(begin)
	return loaded, nil
}

// known is a rule the engine has loaded.
type known struct {
	meta    types.RuleMetadata
	removed bool
}

// ledger follows a load directive by directive: what is loaded when a removal asks for it decides whether the
// removal does anything.
type ledger struct {
	order    []directive
	at       int // index of the next directive
	current  directive
	lost     bool
	rules    map[int]known
	tags     map[string]int
	marks    map[string]bool
	findings []Finding
}

// next is told each directive before the engine runs it.
func (l *ledger) next(text string) {
	if l.lost || l.at >= len(l.order) || l.order[l.at].text != text {
		// Our reading and the engine's differ. Better no position than a wrong one.
		l.lost, l.current = true, directive{text: text}
	} else {
		l.current = l.order[l.at]
		l.at++
	}
	if strings.HasPrefix(l.current.file, "@") {
		return
	}
	l.checkReferences(l.current)
}

func (l *ledger) warn(message string) {
	if strings.HasPrefix(l.current.file, "@") {
		return
	}
	message = strings.Join(strings.Fields(message), " ")
	l.add(SeverityWarning, "engine-warning", l.current, "%s", message)
}

func (l *ledger) observe(m types.RuleMetadata) {
	if mark := m.SecMark(); mark != "" {
		l.marks[mark] = true
		return
	}
	if m.ID() == 0 {
		return
	}
	l.rules[m.ID()] = known{meta: m}
	for _, tag := range m.Tags() {
		l.tags[tag]++
	}
}

func (l *ledger) add(severity, code string, d directive, format string, args ...any) {
	l.findings = append(l.findings, finding(severity, code, d.file, d.line, d.text, fmt.Sprintf(format, args...)))
}

// fail turns the engine's error into ours, at the directive it was working on.
func (l *ledger) fail(err error) *LoadError {
	message := engineWords(err)
	l.add(SeverityError, "engine-error", l.current, "%s", message)
	e := refuse(l.findings[len(l.findings)-1:])
	e.Findings = l.findings
	return e
}

// engineWords removes the layers that say only through how many files the error came.
func engineWords(err error) string {
	s := err.Error()
	s = strings.TrimPrefix(s, "invalid WAF config from string: ")
	for strings.HasPrefix(s, "failed to parse string: ") {
		s = strings.TrimPrefix(s, "failed to parse string: ")
	}
	return Bound(s, 2000)
}
