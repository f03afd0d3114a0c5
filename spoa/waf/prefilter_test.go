package waf

import (
	"math/rand/v2"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
	"unicode"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

// custom are expressions whose alternatives have a letter in common; the Core Rule Set has no such for each case.
const custom = `
SecRule ARGS "@rx a(?:b|.cd)" "id:190001,phase:2,pass"
SecRule ARGS "@rx (?i)s(?:el|.*et)x?" "id:190002,phase:2,pass"
SecRule ARGS "@rx s(?:ab|[0-9](?:cd|ef))" "id:190003,phase:2,pass"
SecRule ARGS "@rx s(?:ab|t+ore (?:one|two) flags)" "id:190004,phase:2,pass"
SecRule ARGS "@rx select|sleep|substr" "id:190005,phase:2,pass"
`

// TestPrefilterMissesNothing makes strings that match, of each expression of the Core Rule Set and of custom
// ones, and asks the operators that requests are judged by.
func TestPrefilterMissesNothing(t *testing.T) {
	loaded, err := Load(waftest.Application+custom, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = loaded.Close() }()
	tx := loaded.engine.NewTransaction().(plugintypes.TransactionState)
	random := rand.New(rand.NewPCG(1, 2))
	expressions, filtered, asked := 0, 0, 0
	err = eachExpression(loaded.engine, func(id int, text string, rx reflect.Value) {
		expressions++
		if !rx.Elem().Elem().FieldByName("prefilter").IsNil() {
			filtered++
		}
		re, expression := regexp.MustCompile("(?s)"+text), parsed(t, text)
		operator := writable(rx).Interface().(plugintypes.Operator)
		for range 300 {
			var b strings.Builder
			sample(&b, expression, random)
			value := b.String()
			if !re.MatchString(value) {
				continue
			}
			asked++
			if !operator.Evaluate(tx, value) {
				t.Errorf("rule %d does not match %q", id, value)
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if expressions < 200 || asked < 50*expressions {
		t.Errorf("%d strings for %d expressions are too few", asked, expressions)
	}
	if filtered < expressions/2 {
		t.Errorf("%d of %d expressions have a prefilter", filtered, expressions)
	}
	t.Logf("%d expressions, %d with a prefilter, %d strings", expressions, filtered, asked)
}

// eachExpression calls f with the id, the expression and the operator of each rule that has one.
func eachExpression(engine coraza.WAF, f func(id int, text string, rx reflect.Value)) error {
	return eachRule(engine, func(rule reflect.Value) {
		if params := rule.FieldByName("operator"); !params.IsNil() {
			operator := params.Elem().FieldByName("Operator")
			if operator.Elem().Type().String() == "*operators.rx" {
				f(int(rule.FieldByName("ID_").Int()), params.Elem().FieldByName("Data").String(), operator)
			}
		}
	})
}

func parsed(t *testing.T, text string) *syntax.Regexp {
	t.Helper()
	re, err := syntax.Parse("(?s)"+text, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	return re
}

// sample writes a string that an expression matches, but for what stands around: anchors and borders of words.
func sample(b *strings.Builder, re *syntax.Regexp, random *rand.Rand) {
	times := func(n int) {
		for range n {
			sample(b, re.Sub[0], random)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 && random.IntN(2) == 0 {
				r = unicode.ToLower(r)
			}
			b.WriteRune(r)
		}
	case syntax.OpCharClass:
		b.WriteRune(member(re.Rune, random))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte(byte(' ' + random.IntN(95)))
	case syntax.OpCapture:
		times(1)
	case syntax.OpStar:
		times(random.IntN(3))
	case syntax.OpPlus:
		times(1 + random.IntN(2))
	case syntax.OpQuest:
		times(random.IntN(2))
	case syntax.OpRepeat:
		times(re.Min + random.IntN(2)*min(1, max(0, re.Max-re.Min)))
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			sample(b, sub, random)
		}
	case syntax.OpAlternate:
		sample(b, re.Sub[random.IntN(len(re.Sub))], random)
	}
}

// member is a character of a class, of one byte where the class has such.
func member(ranges []rune, random *rand.Rand) rune {
	var ascii []rune
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], unicode.MaxASCII); r++ {
			ascii = append(ascii, r)
		}
	}
	if len(ascii) == 0 {
		return ranges[0]
	}
	return ascii[random.IntN(len(ascii))]
}
