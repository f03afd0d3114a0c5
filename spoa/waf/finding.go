package waf

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Severities of a Finding. An error refuses the text.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// maxShown bounds the piece of a directive that is shown, in bytes.
const maxShown = 500

// Finding is one remark about a rule text.
type Finding struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	// File is the included file the remark is about; empty for the submitted text.
	File      string `json:"file,omitempty"`
	Line      int    `json:"line"`
	Directive string `json:"directive"`
	Message   string `json:"message"`
}

func finding(severity, code, file string, line int, text, message string) Finding {
	return Finding{
		Severity: severity, Code: code, File: file, Line: line,
		Directive: Bound(text, maxShown), Message: message,
	}
}

// LoadError says why a text was refused and where.
type LoadError struct {
	File      *string `json:"file"`
	Line      int     `json:"line"`
	Directive string  `json:"directive"`
	Message   string  `json:"message"`
	Code      string  `json:"code"`
	// Findings holds everything that was seen, the reason of this error included.
	Findings []Finding `json:"-"`
}

func (e *LoadError) Error() string {
	where := fmt.Sprintf("line %d", e.Line)
	if e.File != nil {
		where = fmt.Sprintf("%s line %d", *e.File, e.Line)
	}
	if e.Line == 0 {
		return e.Message
	}
	return where + ": " + e.Message
}

// refuse makes an error of the first finding that is one.
func refuse(findings []Finding) *LoadError {
	for _, f := range findings {
		if f.Severity != SeverityError {
			continue
		}
		e := &LoadError{Line: f.Line, Directive: f.Directive, Message: f.Message, Code: f.Code, Findings: findings}
		if f.File != "" {
			e.File = &f.File
		}
		return e
	}
	return nil
}

// Bound cuts s to at most n bytes, at a character.
func Bound(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	// A copy: the rest of a large text shall not live as long as its beginning.
	return strings.Clone(s[:n])
}
