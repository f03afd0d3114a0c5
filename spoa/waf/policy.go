package waf

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Directives that make the engine open, create or fetch files by a name from the text.
var fileDirectives = []string{
	"secauditlog", "secauditlogstoragedir", "secdebuglog", "secuploaddir", "secdatadir", "sectmpdir",
	"secremoterules", "secrulescript", "secunicodemapfile", "secgeolookupdb", "sechttpblkey", "secgsblookupdb",
}

// Operators that open files, run programs or resolve names. Names are compared without case, which refuses
// more than the engine would find.
var unsafeOperators = []string{
	"inspectfile", "pmfromfile", "pmf", "ipmatchfromfile", "ipmatchf", "rbl", "validateschema", "geolookup",
	"validatedtd", "fuzzyhash", "gsblookup",
}

// Actions that touch the process around the engine.
var unsafeActions = []string{"exec", "setenv"}

// Directives that Coraza accepts and does nothing for.
var noopDirectives = []string{
	"secargumentseparator", "seccookieformat", "secruleupdatetargetbymsg", "secruleperftime", "secunicodemap",
	"secconnengine", "secconnreadstatelimit", "secconnwritestatelimit", "secpcrematchlimit",
	"secpcrematchlimitrecursion", "sechashengine", "sechashkey", "sechashparam", "sechashmethodrx",
	"sechashmethodpm", "seccollectiontimeout", "secrequestbodynofileslimit", "secuploadfilemode",
	"secuploadfilelimit", "secremoterulesfailaction", "secsensorid", "secwebappid",
}

var noopActions = []string{"initcol", "expirevar"}

// checkDirectives looks at the directives of the submitted text, before the engine sees any of them.
func checkDirectives(list []directive, opt Options, root fs.FS) []Finding {
	var out []Finding
	add := func(severity, code string, d directive, format string, args ...any) {
		out = append(out, finding(severity, code, d.file, d.line, d.text, fmt.Sprintf(format, args...)))
	}
	chain := directive{} // the rule that waits for the next one of its chain
	for _, d := range list {
		name, opts := d.split()
		isRule := name == "secrule" || name == "secaction"
		if chain.text != "" && !isRule {
			add(SeverityError, "chain-open", chain, "the chain is not continued by the next directive (%s in line %d)", name, d.line)
			chain = directive{}
		}
		switch {
		case slices.Contains(fileDirectives, name):
			add(SeverityError, "file-directive", d, "%s is not allowed here: it names a file or an address for the agent to open", name)
		case name == "secuploadkeepfiles" && !strings.EqualFold(opts, "off"):
			add(SeverityError, "file-directive", d, "SecUploadKeepFiles writes files of clients to disk and is not allowed here")
		case name == "secauditlogtype" && !strings.EqualFold(opts, "serial"):
			add(SeverityError, "file-directive", d, "audit log type %q writes to files or the network and is not allowed here", opts)
		case name == "secignorerulecompilationerrors" && !strings.EqualFold(opts, "off"):
			add(SeverityError, "ignores-errors", d, "rules that do not compile would be dropped silently")
		case slices.Contains(noopDirectives, name):
			add(SeverityWarning, "no-op-directive", d, "the engine accepts %s and does nothing for it", name)
		case name == "include":
			out = append(out, checkInclude(d, opts, opt, root)...)
		case strings.HasPrefix(name, "secruleupdate"):
			out = append(out, checkUpdate(d, name, opts)...)
		case name == "secdefaultaction":
			out = append(out, checkActions(d, parseActions(unquote(opts)))...)
		case isRule:
			r, ok := parseRule(name, opts)
			if !ok {
				chain = directive{}
				continue // the engine says what is wrong
			}
			out = append(out, checkRule(d, r)...)
			if _, has := r.value("id"); has && chain.text != "" {
				add(SeverityError, "chain-absorbs-rule", d, "this rule with an id of its own becomes part of the chain begun in line %d", chain.line)
			}
			chain = directive{}
			if _, has := r.value("chain"); has {
				chain = d
			}
		}
	}
	if chain.text != "" {
		add(SeverityError, "chain-open", chain, "the chain has no further rule")
	}
	return out
}

func checkRule(d directive, r rule) []Finding {
	var out []Finding
	if slices.Contains(unsafeOperators, strings.ToLower(r.operator)) {
		out = append(out, finding(SeverityError, "operator-not-allowed", d.file, d.line, d.text,
			fmt.Sprintf("operator @%s opens files, runs programs or resolves names, or is not implemented: not allowed here", r.operator)))
	}
	return append(out, checkActions(d, r.actions)...)
}

func checkActions(d directive, actions []action) []Finding {
	var out []Finding
	for _, a := range actions {
		switch {
		case slices.Contains(unsafeActions, a.key):
			out = append(out, finding(SeverityError, "action-not-allowed", d.file, d.line, d.text,
				fmt.Sprintf("action %s is not allowed here: it reaches out of the engine", a.key)))
		case slices.Contains(noopActions, a.key):
			out = append(out, finding(SeverityWarning, "no-op-action", d.file, d.line, d.text,
				fmt.Sprintf("the engine accepts %s and does nothing for it: there are no persistent collections", a.key)))
		}
	}
	return out
}

// embeddedInclude is the form of a name inside the embedded Core Rule Set.
var embeddedInclude = regexp.MustCompile(`^@(?:coraza\.conf-recommended|crs-setup\.conf\.example|owasp_crs/[A-Za-z0-9_.*-]+\.conf)$`)

func checkInclude(d directive, path string, opt Options, root fs.FS) []Finding {
	if !opt.AllowOSIncludes && !embeddedInclude.MatchString(path) {
		return []Finding{finding(SeverityError, "include-not-allowed", d.file, d.line, d.text,
			"only @coraza.conf-recommended, @crs-setup.conf.example and @owasp_crs/*.conf can be included")}
	}
	if !strings.Contains(path, "*") {
		if _, err := fs.ReadFile(root, path); err != nil {
			return []Finding{finding(SeverityError, "include-missing", d.file, d.line, d.text,
				"failed to readfile: "+err.Error())}
		}
		return nil
	}
	matches, err := fs.Glob(root, path)
	switch {
	case err != nil:
		return []Finding{finding(SeverityError, "include-missing", d.file, d.line, d.text, "failed to glob: "+err.Error())}
	case len(matches) == 0:
		return []Finding{finding(SeverityError, "include-empty", d.file, d.line, d.text,
			"the pattern matches no file: the engine would load nothing and say nothing")}
	}
	return nil
}

// commaTarget is a list of targets separated by commas, which the engine reads as one name.
var commaTarget = regexp.MustCompile(`,\s*[!&]?[A-Z][A-Z_]+(?::|"?$|\|)`)

// checkUpdate catches updates of which the engine takes only a part.
func checkUpdate(d directive, name, opts string) []Finding {
	words := strings.Fields(opts)
	var out []Finding
	if (name == "secruleupdatetargetbyid" || name == "secruleupdateactionbyid") && len(words) > 2 {
		out = append(out, finding(SeverityError, "only-first-id", d.file, d.line, d.text,
			"the engine applies only the first id and the last word: write one directive for each id, without spaces in the list"))
	}
	if strings.HasPrefix(name, "secruleupdatetarget") && len(words) > 1 && commaTarget.MatchString(words[len(words)-1]) {
		out = append(out, finding(SeverityError, "comma-in-targets", d.file, d.line, d.text,
			"targets are separated by |, with a comma the engine changes nothing"))
	}
	if name == "secruleupdateactionbyid" && len(words) > 1 {
		out = append(out, checkActions(d, parseActions(strings.Trim(words[len(words)-1], `"`)))...)
	}
	return out
}

// idRange is one id, or a range of ids, both ends included.
type idRange struct{ from, to int }

func parseIDRange(s string) (idRange, bool) {
	from, to, isRange := strings.Cut(s, "-")
	a, err := strconv.Atoi(from)
	if err != nil {
		return idRange{}, false
	}
	if !isRange {
		return idRange{a, a}, true
	}
	b, err := strconv.Atoi(to)
	return idRange{a, b}, err == nil
}
