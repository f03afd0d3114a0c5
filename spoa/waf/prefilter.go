package waf

import (
	"reflect"
	"regexp/syntax"

	"github.com/corazawaf/coraza/v3"
)

// dropPrefilters takes the prefilter from expressions for which it is wrong.
//
// SecRxPreFilter looks for literals that any match must have before it runs an expression. Coraza 3.8.1 joins
// the letter that alternatives have in common to what it takes from each of them, also where that is not next
// to the letter (internal/operators/rxprefilter.go, trieReconstruct): of `a(?:b|.cd)` it wants `ab` or `acd`,
// which `axcd` has not. Of CRS 4.25.0 it is so in two dozen rules: `2.2250738585072011e-308` passed 942220, IMAP's
// STORE passed 932311. Those run without; all others keep it.
//
// The fields are not exported, hence reflection; what it does not recognise it refuses. An update of Coraza
// that is mended can do without: TestPrefilterMissesNothing tells.
func dropPrefilters(engine coraza.WAF) error {
	return eachRule(engine, func(rule reflect.Value) {
		params := rule.FieldByName("operator")
		if params.IsNil() {
			return
		}
		operator := params.Elem().FieldByName("Operator").Elem()
		if operator.Type().String() != "*operators.rx" {
			return
		}
		prefilter := operator.Elem().FieldByName("prefilter")
		if prefilter.IsNil() {
			return
		}
		re, err := syntax.Parse("(?s)"+params.Elem().FieldByName("Data").String(), syntax.Perl)
		if err != nil || joinsApart(re.Simplify()) {
			writable(prefilter).SetZero()
		}
	})
}

// joinsApart tells whether somewhere in an expression a single byte stands before alternatives of which a
// literal may be taken that is not at their beginning. In doubt it says so.
func joinsApart(re *syntax.Regexp) bool {
	if re.Op == syntax.OpConcat && len(re.Sub) == 2 && isLiteral(re.Sub[0]) && !longLiteral(re.Sub[0]) && !begins(re.Sub[1]) {
		return true
	}
	for _, sub := range re.Sub {
		if joinsApart(sub) {
			return true
		}
	}
	return false
}

// begins tells whether what is taken of an expression, if anything, is at its beginning.
func begins(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCapture:
		return begins(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !begins(sub) {
				return false
			}
		}
		return true
	case syntax.OpConcat:
		first, rest := re.Sub[0], re.Sub[1:]
		if isLiteral(first) && len(rest) == 1 {
			return longLiteral(first) || begins(rest[0])
		}
		for _, sub := range rest {
			if hasLiteral(sub) {
				return false
			}
		}
		return isLiteral(first) || !hasLiteral(first)
	default:
		// Of a literal all is taken, of anything else nothing.
		return true
	}
}

func isLiteral(re *syntax.Regexp) bool { return re.Op == syntax.OpLiteral }

// longLiteral tells whether a literal is long enough to be looked for alone.
func longLiteral(re *syntax.Regexp) bool { return isLiteral(re) && len(string(re.Rune)) > 1 }

func hasLiteral(re *syntax.Regexp) bool {
	if isLiteral(re) {
		return true
	}
	for _, sub := range re.Sub {
		if hasLiteral(sub) {
			return true
		}
	}
	return false
}
