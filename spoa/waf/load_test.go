package waf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

const good = `SecRule ARGS "@rx a" "id:1,phase:2,pass,tag:'t1',msg:'one'"` + "\n" +
	`SecRule ARGS "@rx b" "id:2,phase:2,pass,tag:'t1',tag:'t2'"` + "\n"

func TestValidationErrors(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		code string
		line int
	}{
		"include matches nothing":     {"SecRuleEngine On\nInclude @owasp_crs/NOPE-*.conf", "include-empty", 2},
		"include of a typo":           {"Include @owasp_csr/*.conf", "include-not-allowed", 1},
		"include missing":             {"Include @owasp_crs/NOPE.conf", "include-missing", 1},
		"include of the system":       {"Include /etc/passwd", "include-not-allowed", 1},
		"include by relative path":    {"Include @owasp_crs/../../etc/passwd.conf", "include-not-allowed", 1},
		"line over 64 KiB":            {good + `SecRule ARGS "@pm ` + strings.Repeat("x ", 40000) + `" "id:3"`, "line-too-long", 3},
		"continued last line":         {good + "SecRule ARGS \"@rx c\" \\\n  \"id:3\" \\", "continued-last-line", 3},
		"backticks open":              {"SecDataset d `\nx\n", "backticks-open", 1},
		"remove an unknown id":        {good + "SecRuleRemoveById 3", "unknown-rule", 3},
		"remove an empty range":       {good + "SecRuleRemoveById 1 3-9", "unknown-rule", 3},
		"remove before the rules":     {"SecRuleRemoveById 1\n" + good, "unknown-rule", 1},
		"CRS rule before CRS":         {"SecRuleRemoveById 942100\nInclude @crs-setup.conf.example\nInclude @owasp_crs/*.conf", "unknown-rule", 1},
		"update targets, range":       {good + `SecRuleUpdateTargetById 5-9 "!ARGS:x"`, "unknown-rule", 3},
		"update targets, two ids":     {good + `SecRuleUpdateTargetById 1 2 "!ARGS:x"`, "only-first-id", 3},
		"update targets, comma":       {good + `SecRuleUpdateTargetById 1 "!ARGS:x,!ARGS:y"`, "comma-in-targets", 3},
		"update targets, unknown tag": {good + `SecRuleUpdateTargetByTag t9 "!ARGS:x"`, "unknown-tag", 3},
		"update targets, removed":     {good + "SecRuleRemoveById 1-2\n" + `SecRuleUpdateTargetById 1-2 "!ARGS:x"`, "unknown-rule", 4},
		"update actions, range":       {good + `SecRuleUpdateActionById 8-9 "deny"`, "unknown-rule", 3},
		"update actions to exec":      {good + `SecRuleUpdateActionById 1 "setenv:a=b"`, "action-not-allowed", 3},
		"remove by a tag pattern":     {good + `SecRuleRemoveByTag "t.*"`, "unknown-tag", 3},
		"remove by unknown message":   {good[:strings.Index(good, "\n")+1] + `SecRuleRemoveByMsg "two"`, "unknown-message", 2},
		// Coraza 3.8.1 dereferences nil in a rule without a message.
		"remove by message, panic": {good + `SecRuleRemoveByMsg "one"`, "engine-error", 3},
		"update an absent rule":    {good + `SecRuleUpdateTargetById 9 "!ARGS:x"`, "unknown-rule", 3},
		"inspectFile":              {`SecRule FILES_TMPNAMES "@inspectFile /usr/bin/touch" "id:1"`, "operator-not-allowed", 1},
		"inspectFile negated":      {`SecRule FILES_TMPNAMES "!@inspectFile /usr/bin/touch" "id:1"`, "operator-not-allowed", 1},
		"pmFromFile":               {`SecRule ARGS "@pmFromFile /etc/passwd" "id:1"`, "operator-not-allowed", 1},
		"pmf":                      {"SecRule ARGS \\\n \"@pmf x\" \"id:1\"", "operator-not-allowed", 1},
		"ipMatchFromFile":          {`SecRule REMOTE_ADDR "@ipMatchFromFile x" "id:1"`, "operator-not-allowed", 1},
		"rbl":                      {`SecRule REMOTE_ADDR "@rbl x.example" "id:1"`, "operator-not-allowed", 1},
		"validateSchema":           {`SecRule XML "@validateSchema x.json" "id:1"`, "operator-not-allowed", 1},
		"geoLookup":                {`SecRule REMOTE_ADDR "@geoLookup" "id:1"`, "operator-not-allowed", 1},
		"operator in a chain":      {"SecRule ARGS \"@rx a\" \"id:1,chain\"\nSecRule ARGS \"@rbl x\"", "operator-not-allowed", 2},
		"exec":                     {`SecAction "id:1,phase:1,pass,exec:/bin/true"`, "action-not-allowed", 1},
		"setenv":                   {`SecAction "id:1,phase:1,pass,setenv:'A=b'"`, "action-not-allowed", 1},
		"exec by default":          {`SecDefaultAction "phase:1,pass,exec:/x"`, "action-not-allowed", 1},
		"SecRemoteRules":           {"SecRemoteRules key https://x", "file-directive", 1},
		"SecRuleScript":            {"SecRuleScript x.lua", "file-directive", 1},
		"SecAuditLog":              {"SecAuditLog /tmp/x", "file-directive", 1},
		"SecDebugLog":              {"secdebuglog /tmp/x", "file-directive", 1},
		"SecUploadDir":             {"SecUploadDir /tmp", "file-directive", 1},
		"SecUploadKeepFiles":       {"SecUploadKeepFiles On", "file-directive", 1},
		"audit log by HTTPS":       {"SecAuditLogType HTTPS", "file-directive", 1},
		"ignored errors":           {"SecIgnoreRuleCompilationErrors On", "ignores-errors", 1},
		"open chain":               {good + `SecRule ARGS "@rx c" "id:3,chain"`, "chain-open", 3},
		"chain into an include":    {"SecRule ARGS \"@rx c\" \"id:3,chain\"\nInclude @crs-setup.conf.example", "chain-open", 1},
		"chain absorbs a rule":     {`SecRule ARGS "@rx c" "id:3,chain"` + "\n" + good, "chain-absorbs-rule", 2},
		"skip to nowhere":          {`SecAction "id:1,phase:1,pass,skipAfter:END"`, "unknown-marker", 1},
		"ctl without an id":        {`SecAction "id:1,phase:1,pass,ctl:ruleRemoveById=x"`, "invalid-ctl", 1},
		"unknown operator":         {"\n# c\n" + good + `SecRule ARGS "@foo" "id:3"`, "engine-error", 5},
		"unknown directive":        {good + "SecFoo", "engine-error", 3},
		"tab":                      {good + "SecRuleEngine\tOn", "engine-error", 3},
		"lookahead":                {`SecRule ARGS "@rx (?!a)" "id:1"`, "engine-error", 1},
		"same id twice":            {good + good, "engine-error", 3},
		"error behind an include":  {"Include @crs-setup.conf.example\nSecRuleEngine Maybe", "engine-error", 2},
		"id of CRS":                {"Include @owasp_crs/*.conf\n" + `SecAction "id:942100,phase:1,pass"`, "engine-error", 2},
	} {
		t.Run(name, func(t *testing.T) {
			loaded, err := Load(c.text, Options{})
			var e *LoadError
			if !errors.As(err, &e) {
				t.Fatalf("got %+v, error %v", loaded, err)
			}
			if e.File != nil {
				t.Errorf("file %q", *e.File)
			}
			if e.Line != c.line || e.Message == "" || len(e.Directive) > maxShown {
				t.Errorf("line %d, want %d: %q: %s", e.Line, c.line, e.Directive, e.Message)
			}
			codes := []string{}
			for _, f := range e.Findings {
				codes = append(codes, f.Code)
			}
			if !strings.Contains(strings.Join(codes, " "), c.code) {
				t.Errorf("codes %v, want %s", codes, c.code)
			}
		})
	}
}

func TestValidationWarnings(t *testing.T) {
	for name, c := range map[string]struct{ text, code string }{
		"no-op directive":  {good + "SecPcreMatchLimit 1000", "no-op-directive"},
		"update by msg":    {good + `SecRuleUpdateTargetByMsg one "!ARGS:x"`, "no-op-directive"},
		"expirevar":        {`SecAction "id:1,phase:1,pass,expirevar:tx.a=1"`, "no-op-action"},
		"removed twice":    {good + "SecRuleRemoveById 1\nSecRuleRemoveById 1", "already-removed"},
		"tag removed":      {good + "SecRuleRemoveByTag t2\nSecRuleRemoveByTag t2", "already-removed"},
		"ctl, unknown id":  {good + `SecAction "id:9,phase:1,pass,ctl:ruleRemoveTargetById=7;ARGS:x"`, "ctl-unknown-rule"},
		"ctl, unknown tag": {good + `SecAction "id:9,phase:1,pass,ctl:ruleRemoveByTag=t9"`, "ctl-unknown-tag"},
		"empty":            {"", "no-rules"},
		"unclosed quote":   {`SecAction "id:1,phase:1,pass,msg:'x"`, "engine-warning"},
	} {
		t.Run(name, func(t *testing.T) {
			loaded, err := Load(c.text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded.Findings) != 1 || loaded.Findings[0].Code != c.code || loaded.Findings[0].Severity != SeverityWarning {
				t.Errorf("findings %+v", loaded.Findings)
			}
		})
	}
}

func TestValidTexts(t *testing.T) {
	for name, text := range map[string]string{
		"application":        waftest.Application,
		"recommended":        "Include @coraza.conf-recommended\nInclude @crs-setup.conf.example\nInclude @owasp_crs/*.conf\nSecRuleEngine On",
		"exclusions":         waftest.Application + "SecRuleRemoveById 942100 941100-941130\nSecRuleRemoveByTag \"attack-rce\"\nSecRuleUpdateTargetById 942120 \"!ARGS:q|!ARGS:/^a,b/\"\nSecRuleUpdateTargetByTag attack-xss \"!ARGS:html\"\n",
		"by message":         `SecRule ARGS "@rx c" "id:3,msg:'one'"` + "\n" + `SecRule ARGS "@rx c" "id:4,msg:'x'"` + "\n" + `SecRuleRemoveByMsg "one"`,
		"chain":              "SecRule ARGS \"@rx c\" \"id:3,phase:2,pass,chain\"\n# c\n  SecRule ARGS \"@rx d\" \"chain\"\n  SecRule ARGS \"@rx e\" \"t:none\"\n" + good,
		"words like names":   `SecRule ARGS "@rx @inspectFile exec:x" "id:1,phase:2,pass,msg:'exec:a, @rbl'"`,
		"windows lines":      strings.ReplaceAll(good, "\n", "\r\n"),
		"comment in between": "SecRule ARGS \"@rx c\" \\\n# SecAuditLog x\n\n \"id:3,phase:2,pass\"",
		"data set":           "SecDataset d `\nfoo\n# bar\n`\nSecRule ARGS \"@pmFromDataset d\" \"id:1,phase:2,pass\"",
		"marker":             "SecAction \"id:1,phase:1,pass,skipAfter:END\"\nSecMarker END",
	} {
		t.Run(name, func(t *testing.T) {
			loaded, err := Load(text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = loaded.Close() }()
			if len(loaded.Findings) != 0 {
				t.Errorf("findings %+v", loaded.Findings)
			}
			if loaded.RuleCount == 0 || loaded.Digest != Digest(text) {
				t.Errorf("%+v", loaded)
			}
		})
	}
}

func TestOSIncludes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ok := file("ok.conf", "# a file may name files\nSecRule ARGS \"@pmFromFile words.data\" \"id:5,phase:2,pass\"\n")
	file("words.data", "foo\n")
	bad := file("bad.conf", good+"\nSecRule ARGS \"@foo\" \"id:6\"\n")
	outer := file("outer.conf", "SecRuleEngine On\nInclude bad.conf\n")
	cut := file("cut.conf", good+"SecAction \\\n")
	late := file("late.conf", "\n\nSecRuleRemoveById 77\n")
	opt := Options{AllowOSIncludes: true}
	if _, err := Load("Include "+ok, opt); err != nil {
		t.Error(err)
	}
	if _, err := Load("Include "+ok, Options{}); err == nil {
		t.Error("a file of the system was included")
	}
	if _, err := Load("Include "+dir+"/none-*.conf", opt); err == nil {
		t.Error("a pattern without files was accepted")
	}
	for path, line := range map[string]int{bad: 4, cut: 3, late: 3} {
		_, err := Load(good[:0]+"SecRuleEngine On\nInclude "+path, opt)
		var e *LoadError
		if !errors.As(err, &e) || e.File == nil || *e.File != path || e.Line != line {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err := Load("Include "+outer, opt)
	var e *LoadError
	if !errors.As(err, &e) || e.File == nil || *e.File != bad || e.Line != 4 {
		t.Errorf("nested: %v", err)
	}
}

func TestParseRule(t *testing.T) {
	for _, c := range []struct{ in, variables, operator, argument, actions string }{
		{`SecRule ARGS "@rx a\"b" "id:1,msg:'x,y:z'"`, "ARGS", "rx", `a"b`, "id=1 msg=x,y:z "},
		{`SecRule ARGS|!ARGS:x   "!@within a b"   "id:1"`, "ARGS|!ARGS:x", "within", "a b", "id=1 "},
		{`SecRule ARGS "!a"`, "ARGS", "rx", "a", ""},
		{`SecRule ARGS "" "id:1,t:none,  chain"`, "ARGS", "rx", "", "id=1 t=none chain= "},
		{`SecRule ARGS "@rx \\" "id:1"`, "ARGS", "rx", `\\`, "id=1 "},
	} {
		name, opts := directive{text: c.in}.split()
		r, ok := parseRule(name, opts)
		actions := ""
		for _, a := range r.actions {
			actions += a.key + "=" + a.value + " "
		}
		if !ok || r.variables != c.variables || r.operator != c.operator || r.argument != c.argument || actions != c.actions {
			t.Errorf("%s: %+v %q", c.in, r, actions)
		}
	}
}

// FuzzScan compares our reading with the engine's: what is checked has to be what is run.
func FuzzScan(f *testing.F) {
	f.Add(good)
	f.Add("SecDataset d `\nx\n`\n")
	f.Add("SecRule A \"@rx \\\" \\\n#x\n\"id:1\"")
	f.Add("SecRuleEngine On\r\n\tSecMarker \"a b\"\n\\\n#\\\nSecMarker c\\\nd")
	f.Add("`\n#\n\\\n`SecMarker a")
	f.Fuzz(func(t *testing.T, text string) {
		list, findings := scan("", text)
		findings = append(findings, checkDirectives(list, Options{}, Options{}.root())...)
		if refuse(findings) != nil {
			return
		}
		for _, d := range list {
			if name, _ := d.split(); name == "include" {
				return
			}
		}
		var run []string
		log := &recorder{loading: true, directive: func(s string) { run = append(run, s) }, warning: func(string) {}}
		_, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(Options{}.root()).WithDebugLogger(log).WithDirectives(text))
		if err == nil && len(run) != len(list) {
			t.Fatalf("the engine ran %q, we saw %+v", run, list)
		}
		for i, s := range run {
			if list[i].text != s {
				t.Fatalf("directive %d: the engine ran %q, we saw %q", i, s, list[i].text)
			}
		}
	})
}
