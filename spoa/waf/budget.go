package waf

import (
	"fmt"
	"slices"
	"strings"
)

// Budgets of a submitted text.
const (
	maxText               = 2 << 20
	maxDirectives         = 5_000
	maxTransformations    = 8 // of a rule; half of it with multiMatch, which keeps all results on the way
	maxGrowing            = 2 // of a chain
	maxUpdatedTransforms  = 32
	codeTooExpensive      = "too-expensive"
	codeTooLarge          = "too-large"
	codeEnvironment       = "environment"
	environmentMacroStart = "%{env"
)

// growing transformations make a value larger, up to three times, and each works on what the one before made.
var growing = []string{"hexencode", "urlencode", "base64encode", "utf8tounicode"}

// checkBudget refuses what would take too much time or memory to compile or to run, before the engine sees it.
// Only the submitted text is looked at: the embedded rules are ours.
func checkBudget(text string, list []directive) []Finding {
	b := &budget{}
	if len(text) > maxText {
		b.add(codeTooLarge, directive{line: 1}, "the text has %d bytes, at most %d", len(text), maxText)
		return b.out
	}
	if len(list) > maxDirectives {
		b.add(codeTooLarge, list[maxDirectives], "the text has %d directives, at most %d", len(list), maxDirectives)
		return b.out
	}
	for _, d := range list {
		if b.check(d); len(b.out) > 0 {
			return b.out // the first one refuses the text: the rest is not worth the time
		}
	}
	return nil
}

type budget struct {
	out     []Finding
	cost    expense
	grown   int // in the current chain
	updates int
}

func (b *budget) add(code string, d directive, format string, args ...any) {
	b.out = append(b.out, finding(SeverityError, code, d.file, d.line, d.text, fmt.Sprintf(format, args...)))
}

func (b *budget) check(d directive) {
	if reachesEnvironment(d.text) {
		b.add(codeEnvironment, d, "%%{ENV.…} is not allowed here: it shows the environment of the agent")
		return
	}
	name, opts := d.split()
	switch {
	case name == "secrule" || name == "secaction":
		r, ok := parseRule(name, opts)
		if !ok {
			return // the engine says what is wrong
		}
		b.expressions(d, r)
		b.transformations(d, r)
	case name == "secauditlogrelevantstatus":
		b.charge(d, opts)
	case name == "secruleupdateactionbyid":
		words := strings.Fields(opts)
		if len(words) > 1 {
			actions := parseActions(strings.Trim(words[len(words)-1], `"`))
			b.selectors(d, actions)
			b.updated(d, actions)
		}
	case strings.HasPrefix(name, "secruleupdatetarget"):
		b.targets(d, opts)
	}
}

// reachesEnvironment finds the macro in any case; only a dot or the end may follow the name.
func reachesEnvironment(text string) bool {
	for {
		i := strings.Index(text, "%{")
		if i < 0 {
			return false
		}
		text = text[i:]
		if n := len(environmentMacroStart); len(text) > n && strings.EqualFold(text[:n], environmentMacroStart) &&
			(text[n] == '.' || text[n] == '}') {
			return true
		}
		text = text[2:]
	}
}

func (b *budget) charge(d directive, expression string) {
	if message := b.cost.charge(expression); message != "" {
		b.add(codeTooExpensive, d, "%s", message)
	}
}

func (b *budget) expressions(d directive, r rule) {
	switch strings.ToLower(r.operator) {
	case "rx":
		b.charge(d, "(?sm)"+r.argument) // the flags are the engine's
	case "restpath":
		b.charge(d, r.argument)
	case "validatenid":
		_, expression, _ := strings.Cut(r.argument, " ")
		b.charge(d, expression)
	}
	b.targets(d, r.variables)
	b.selectors(d, r.actions)
}

// targets charges for selectors that are expressions, as in ARGS:/^a/ and ARGS:'/^a/'.
func (b *budget) targets(d directive, list string) {
	for {
		i := strings.IndexByte(list, ':')
		if i < 0 {
			return
		}
		list = strings.TrimPrefix(list[i+1:], "'")
		rest, ok := strings.CutPrefix(list, "/")
		if !ok {
			continue
		}
		end, escaped := len(rest), false
		for i := 0; i < len(rest); i++ {
			if rest[i] == '/' && !escaped {
				end = i
				break
			}
			escaped = rest[i] == '\\' && !escaped
		}
		b.charge(d, rest[:end])
		list = rest[end:]
	}
}

// selectors charges for expressions in ctl:ruleRemoveTargetById=1;ARGS:/^a/ and its like.
func (b *budget) selectors(d directive, actions []action) {
	for _, a := range actions {
		if a.key != "ctl" {
			continue
		}
		_, target, _ := strings.Cut(a.value, ";")
		_, key, _ := strings.Cut(target, ":")
		key = strings.TrimSpace(key)
		if len(key) > 2 && key[0] == '/' && key[len(key)-1] == '/' {
			b.charge(d, key[1:len(key)-1])
		}
	}
}

func count(actions []action) (transformations, grow int, multi bool) {
	for _, a := range actions {
		switch value := strings.ToLower(strings.TrimSpace(a.value)); {
		case a.key == "multimatch":
			multi = true
		case a.key != "t" || value == "none":
		default:
			transformations++
			if slices.Contains(growing, value) {
				grow++
			}
		}
	}
	return transformations, grow, multi
}

func (b *budget) transformations(d directive, r rule) {
	n, grow, multi := count(r.actions)
	limit, limitGrowing := maxTransformations, maxGrowing
	if multi {
		limit, limitGrowing = limit/2, limitGrowing/2
	}
	if n > limit {
		b.add(codeTooExpensive, d, "the rule is too expensive: %d transformations, at most %d (half of %d with multiMatch)", n, limit, maxTransformations)
	}
	b.grown += grow
	if b.grown > limitGrowing && grow > 0 {
		b.add(codeTooExpensive, d, "the rule is too expensive: %d transformations that enlarge in one chain (%s), at most %d",
			b.grown, strings.Join(growing, ", "), limitGrowing)
	}
	if _, has := r.value("chain"); !has {
		b.grown = 0
	}
}

// updated looks at the actions that an update adds to rules which may have some already.
func (b *budget) updated(d directive, actions []action) {
	n, grow, multi := count(actions)
	b.updates += n
	switch {
	case grow > 0:
		b.add(codeTooExpensive, d, "an update cannot add transformations that enlarge (%s)", strings.Join(growing, ", "))
	case multi:
		b.add(codeTooExpensive, d, "an update cannot add multiMatch")
	case n > maxTransformations || b.updates > maxUpdatedTransforms:
		b.add(codeTooExpensive, d, "updates add too many transformations: %d here, at most %d; %d up to here, at most %d",
			n, maxTransformations, b.updates, maxUpdatedTransforms)
	}
}
