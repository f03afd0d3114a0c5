package waf

import (
	"fmt"
	"strings"
)

// maxLine is where Coraza's bufio.Scanner stops reading, silently, with all that follows.
const maxLine = 64 << 10

// directive is one logical line, joined from continuations as the engine joins them.
type directive struct {
	file string // empty for the submitted text
	line int    // 1-based, where it begins
	text string
}

// scan splits SecLang text into directives exactly as Coraza's parser does (internal/seclang/parser.go):
// lines are trimmed, blank lines and lines that begin with # are dropped even within a continuation, a
// backslash at the end continues, and backticks hold a data set together.
func scan(file, text string) ([]directive, []Finding) {
	var (
		out       []directive
		findings  []Finding
		buf       strings.Builder
		start     int
		backticks int // the line that opened them
	)
	report := func(code string, line int, text, message string) {
		findings = append(findings, finding(SeverityError, code, file, line, text, message))
	}
	number := 0
	for len(text) > 0 {
		raw, rest, _ := strings.Cut(text, "\n")
		text = rest
		number++
		if len(raw) >= maxLine-1 {
			report("line-too-long", number, raw, fmt.Sprintf(
				"line of %d bytes: the engine stops reading at lines over 64 KiB and ignores everything after", len(raw)))
		}
		line := strings.TrimSpace(raw)
		if line == "" || line[0] == '#' {
			continue
		}
		if buf.Len() == 0 {
			start = number
		}
		if backticks == 0 && line[len(line)-1] == '`' {
			backticks = number
		} else if backticks != 0 && line[0] == '`' {
			backticks = 0
		}
		switch {
		case backticks != 0:
			buf.WriteString(line)
			buf.WriteByte('\n')
		case line[len(line)-1] == '\\':
			buf.WriteString(strings.TrimSuffix(line, "\\"))
		default:
			buf.WriteString(line)
			out = append(out, directive{file: file, line: start, text: buf.String()})
			buf.Reset()
		}
	}
	if backticks != 0 {
		report("backticks-open", backticks, buf.String(), "backticks left open")
	} else if buf.Len() > 0 {
		report("continued-last-line", start, buf.String(),
			"the text ends in a continued line: the engine drops this directive silently")
	}
	return out, findings
}

// split gives the name in lower case and the options, with the engine's treatment of outer quotes.
func (d directive) split() (name, opts string) {
	name, opts, _ = strings.Cut(d.text, " ")
	if len(opts) >= 3 && opts[0] == '"' && opts[len(opts)-1] == '"' {
		opts = strings.Trim(opts, `"`)
	}
	return strings.ToLower(name), opts
}

// rule is what our checks need to know of a SecRule or SecAction.
type rule struct {
	variables string
	operator  string // without @ and !, as written
	argument  string
	actions   []action
}

type action struct{ key, value string }

// parseRule reads a SecRule or SecAction. It mirrors the engine, and answers false where the engine will
// refuse the text itself.
func parseRule(name, opts string) (rule, bool) {
	if name == "secaction" {
		return rule{actions: parseActions(unquote(opts))}, true
	}
	var r rule
	variables, rest, ok := strings.Cut(strings.Trim(opts, " "), " ")
	if !ok {
		return r, false
	}
	r.variables = variables
	rest = strings.TrimLeft(rest, " ")
	end := closingQuote(rest)
	if end < 0 {
		return r, false
	}
	operator := strings.ReplaceAll(unquote(rest[:end+1]), `\"`, `"`)
	rest = strings.TrimLeft(rest[end+1:], " ")
	r.operator, r.argument = splitOperator(operator)
	if rest != "" {
		r.actions = parseActions(unquote(rest))
	}
	return r, true
}

// closingQuote finds the end of the quoted string at the start of s. As in the engine, a quote is escaped by
// an odd number of backslashes before it.
func closingQuote(s string) int {
	if s == "" || s[0] != '"' {
		return -1
	}
	slashes := 0
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			slashes++
		case s[i] != '"':
			slashes = 0
		case slashes%2 == 1:
			slashes = 0
		default:
			return i
		}
	}
	return -1
}

func splitOperator(s string) (name, argument string) {
	switch {
	case strings.HasPrefix(s, "!@"):
		s = s[2:]
	case strings.HasPrefix(s, "@"):
		s = s[1:]
	default:
		return "rx", strings.TrimPrefix(s, "!")
	}
	name, argument, _ = strings.Cut(s, " ")
	return strings.TrimSpace(name), strings.TrimSpace(argument)
}

// parseActions splits at commas outside of single quotes; a backslash hides the next byte.
func parseActions(s string) []action {
	var out []action
	add := func(part string) {
		key, value, _ := strings.Cut(part, ":")
		out = append(out, action{
			key:   strings.ToLower(strings.TrimSpace(key)),
			value: unquote(strings.TrimSpace(value)),
		})
	}
	quoted, begin := false, 0
	// From 1 on and by the byte before, as the engine does it.
	for i := 1; i < len(s); i++ {
		switch {
		case s[i-1] == '\\':
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			add(s[begin:i])
			begin = i + 1
		}
	}
	add(s[begin:])
	return out
}

// unquote removes one pair of quotes around s.
func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

func (r rule) value(key string) (string, bool) {
	for _, a := range r.actions {
		if a.key == key {
			return a.value, true
		}
	}
	return "", false
}
