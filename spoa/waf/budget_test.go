package waf

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

// uriForm is the largest expression our renderer writes.
const uriForm = `^(?:/(?:\.?[A-Za-z0-9_~!$&*+,=:@-]|%(?:2[0146BbCcDd]|2[89Aa]|3[AaDd]|40|5[BbDdFf]|7[Ee])|%[Cc][2-9A-Ca-cE-Fe-f]%[89ABab][0-9A-Fa-f]|%[Dd][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|%[Ee]0%[ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|%[Ee][13-9A-Ca-c]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|%[Ee][Dd]%[89][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|%[Ff]0%(?:9|[ABab])[0-9A-Fa-f]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f])+)*/?(?:\?|$)`

// words are a list of names as users have it.
func words(n int) string {
	var out []string
	for i := range n {
		out = append(out, strings.Repeat(string(rune('a'+i*7%26)), 1)+fmt.Sprintf("bot-crawler-%d", i*37))
	}
	return "(?i)(?:" + strings.Join(out, "|") + ")"
}

func TestExpressionBudget(t *testing.T) {
	rule := func(rx string) string { return `SecRule ARGS "@rx ` + rx + `" "id:1,phase:2,pass"` }
	long := strings.Repeat("a", maxExpression)
	for name, c := range map[string]struct{ text, message string }{
		"repetitions":         {rule(`^[a-c0]` + strings.Repeat(`.{1000}`, 10)), "instructions, at most 2000"},
		"optional":            {rule(strings.Repeat(`.{0,1000}`, 30)), "instructions, at most 2000"},
		"nested":              {rule(`(?:(?:(?:a{10}){10}){10}b){900}`), ""},
		"open end":            {rule(strings.Repeat(`(?:ab){1000,}`, 3)), "instructions, at most 2000"},
		"implicit":            {`SecRule ARGS "` + strings.Repeat(`.{1000}`, 10) + `" "id:1,phase:2,pass"`, "instructions"},
		"negated":             {`SecRule ARGS "!@rx ` + strings.Repeat(`.{1000}`, 10) + `" "id:1,phase:2,pass"`, "instructions"},
		"implicit, negated":   {`SecRule ARGS "!` + strings.Repeat(`.{1000}`, 10) + `" "id:1,phase:2,pass"`, "instructions"},
		"overlap":             {rule(`.{0,200}x`), "steps for each byte"},
		"overlap of words":    {rule(`(?:ab){0,200}x`), "steps for each byte"},
		"list of words":       {rule(words(100)), "steps for each byte"},
		"lines":               {rule(`^[^<>]{1,255}$`), "steps for each byte"},
		"length":              {rule(long), "bytes"},
		"classes":             {rule(strings.Repeat(`\pL`, 1000)), "instructions"},
		"target":              {`SecRule ARGS:/` + strings.Repeat(`.{1000}`, 3) + `/ "@rx a" "id:1,phase:2,pass"`, "instructions"},
		"quoted target":       {`SecRule REQUEST_HEADERS|!ARGS:'/` + strings.Repeat(`.{1000}`, 3) + `/' "@rx a" "id:1,phase:2,pass"`, "instructions"},
		"ctl":                 {`SecAction "id:1,phase:1,pass,ctl:ruleRemoveTargetById=1;ARGS:/` + strings.Repeat(`.{1000}`, 3) + `/"`, "instructions"},
		"update":              {good + `SecRuleUpdateTargetById 1 "!ARGS:/` + strings.Repeat(`.{1000}`, 3) + `/"`, "instructions"},
		"status":              {`SecAuditLogRelevantStatus "` + strings.Repeat(`.{1000}`, 3) + `"`, "instructions"},
		"path":                {`SecRule REQUEST_URI "@restpath /` + strings.Repeat(`.{1000}`, 3) + `" "id:1,phase:2,pass"`, "instructions"},
		"all together":        {many(250, `SecRule ARGS "@rx ^a%d[a-b]{950}" "id:%d,phase:2,pass"`), "together"},
		"directives":          {strings.Repeat("SecRuleEngine On\n", maxDirectives+1), "directives, at most"},
		"text":                {strings.Repeat("# comment\n", maxText/10+1), "bytes, at most"},
		"environment":         {`SecAction "id:1,phase:1,pass,log,msg:'%{tx.a} %{eNv.PATH}'"`, "environment"},
		"environment, joined": {"SecAction \"id:1,phase:1,pass,log,msg:'%{EN\\\nV.PATH}'\"", "environment"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			_, err := Load(c.text, Options{})
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			var e *LoadError
			if !errors.As(err, &e) || e.Line < 1 || !strings.Contains(e.Message, c.message) {
				t.Fatalf("%v", err)
			}
			t.Logf("%s after %s, %d KiB", e.Message, took, (after.TotalAlloc-before.TotalAlloc)>>10)
			if name != "all together" && (took > time.Second || after.TotalAlloc-before.TotalAlloc > 64<<20) {
				t.Errorf("%s, %d bytes", took, after.TotalAlloc-before.TotalAlloc)
			}
		})
	}
}

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i, i+1)
	}
	return b.String()
}

func TestUsualExpressionsAreWithinTheBudget(t *testing.T) {
	for _, rx := range []string{
		uriForm, words(40), `^[a-z0-9._-]{1,255}$`, `\A[^<>]{1,255}\z`, `^[\w.+-]{1,64}@[a-z0-9.-]{1,255}\.[a-z]{2,24}$`,
		`(?i)<script[^>]*>`, `^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$`, `(?:union.{0,20}select|sleep\s*\()`, `\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}`,
	} {
		if message := new(expense).charge("(?sm)" + rx); message != "" {
			t.Errorf("%.60s: %s", rx, message)
		}
	}
	if _, err := Load(waftest.Application, Options{}); err != nil {
		t.Error(err) // the embedded rules are exempt
	}
}

// BenchmarkExpressions says what expressions cost for a value of 16 KiB, accepted ones and refused ones.
func BenchmarkExpressions(b *testing.B) {
	for rx, input := range map[string]string{
		`.{0,48}x`: "ab", `[a-z]{1,48}@`: "ab", `(?:ab){0,90}x`: "ab", `(?:[^<]*?[a-z]){24}x`: "ab", words(40): "abot-crawler-",
		words(100): "abot-crawler-", uriForm: "/%c3%a4",
	} {
		re := regexp.MustCompile("(?sm)" + rx)
		value := strings.Repeat(input, (16<<10)/len(input))
		b.Run(fmt.Sprintf("%.30s", rx), func(b *testing.B) {
			for b.Loop() {
				re.MatchString(value)
			}
		})
	}
}

func TestTransformationBudget(t *testing.T) {
	rule := func(id int, actions string) string {
		return fmt.Sprintf("SecRule ARGS \"@rx a\" \"id:%d,phase:2,pass,%s\"\n", id, actions)
	}
	link := "SecRule ARGS \"@rx b\" \"t:none,t:URLEncode\"\n"
	for name, c := range map[string]struct {
		text string
		line int // 0: accepted
	}{
		"two that grow":             {rule(1, "t:none,t:hexEncode,t:urlEncode"), 0},
		"three that grow":           {rule(1, "t:hexEncode,t:base64Encode,t:utf8toUnicode"), 1},
		"two in a chain":            {rule(1, "t:hexEncode,chain") + link + rule(2, "t:hexEncode,t:hexEncode"), 0},
		"three in a chain":          {rule(1, "t:hexEncode,t:hexEncode,chain") + link, 2},
		"eight":                     {rule(1, "t:none"+strings.Repeat(",t:lowercase", 8)), 0},
		"nine":                      {rule(1, "t:none"+strings.Repeat(",t:lowercase", 9)), 1},
		"multiMatch":                {rule(1, "multiMatch"+strings.Repeat(",t:lowercase", 4)), 0},
		"multiMatch, five":          {rule(1, strings.Repeat("t:lowercase,", 5)+"multiMatch"), 1},
		"multiMatch, two that grow": {rule(1, "multiMatch,t:hexEncode,t:hexEncode"), 1},
		"update":                    {rule(1, "log") + `SecRuleUpdateActionById 1 "t:hexEncode"`, 2},
		"update to multiMatch":      {rule(1, "log") + `SecRuleUpdateActionById 1 "multiMatch"`, 2},
		"many updates":              {rule(1, "log") + strings.Repeat("SecRuleUpdateActionById 1 \"t:lowercase\"\n", 33), 34},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(c.text, Options{})
			var e *LoadError
			if c.line == 0 && err != nil || c.line != 0 && (!errors.As(err, &e) || e.Line != c.line) {
				t.Errorf("%v", err)
			}
		})
	}
}
