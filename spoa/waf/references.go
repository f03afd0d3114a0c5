package waf

import (
	"strings"
)

// checkReferences refuses removals and updates of rules that are not there at this moment. The engine accepts
// them silently, in most forms, and an exclusion that does nothing is found only by its false positives.
func (l *ledger) checkReferences(d directive) {
	name, opts := d.split()
	words := strings.Fields(opts)
	switch name {
	case "secruleremovebyid":
		for _, w := range words {
			l.checkIDs(d, w, true)
		}
	case "secruleupdatetargetbyid", "secruleupdateactionbyid":
		if len(words) > 1 {
			l.checkIDs(d, words[0], false)
		}
	case "secruleremovebytag":
		l.checkTag(d, opts, true)
	case "secruleupdatetargetbytag":
		if len(words) > 1 {
			l.checkTag(d, strings.Trim(words[0], `"`), false)
		}
	case "secruleremovebymsg":
		l.checkMsg(d, opts)
	}
}

func (l *ledger) checkIDs(d directive, word string, remove bool) {
	r, ok := parseIDRange(word)
	if !ok {
		return // the engine refuses it
	}
	found, gone := l.pick(r, remove)
	switch {
	case found:
	case gone && remove:
		l.add(SeverityWarning, "already-removed", d, "%s was removed before", word)
	case gone:
		l.add(SeverityError, "unknown-rule", d, "%s was removed before this directive", word)
	default:
		l.add(SeverityError, "unknown-rule", d, "no rule loaded before this directive has the id %s", word)
	}
}

func (l *ledger) pick(r idRange, remove bool) (found, gone bool) {
	one := func(id int, k known) {
		if k.removed {
			gone = true
			return
		}
		found = true
		if remove {
			l.drop(id, k)
		}
	}
	if r.from == r.to {
		if k, ok := l.rules[r.from]; ok {
			one(r.from, k)
		}
		return found, gone
	}
	for id, k := range l.rules {
		if id >= r.from && id <= r.to {
			one(id, k)
		}
	}
	return found, gone
}

func (l *ledger) drop(id int, k known) {
	k.removed = true
	l.rules[id] = k
	for _, tag := range k.meta.Tags() {
		l.tags[tag]--
	}
}

func (l *ledger) checkTag(d directive, tag string, remove bool) {
	count, seen := l.tags[tag]
	switch {
	case !seen:
		l.add(SeverityError, "unknown-tag", d,
			"no rule loaded before this directive has the tag %q (tags are compared whole, never as a pattern)", tag)
	case count == 0 && remove:
		l.add(SeverityWarning, "already-removed", d, "all rules with the tag %q were removed before", tag)
	case count == 0:
		l.add(SeverityError, "unknown-tag", d, "all rules with the tag %q were removed before this directive", tag)
	case remove:
		for id, k := range l.rules {
			if !k.removed && hasTag(k.meta.Tags(), tag) {
				l.drop(id, k)
			}
		}
	}
}

func hasTag(tags []string, tag string) bool {
	for _, t := range tags {
		if t == tag {
			return true
		}
	}
	return false
}

func (l *ledger) checkMsg(d directive, msg string) {
	found := false
	for id, k := range l.rules {
		if k.removed {
			continue
		}
		name, opts := directive{text: k.meta.Raw()}.split()
		r, ok := parseRule(name, opts)
		if !ok {
			continue
		}
		if m, has := r.value("msg"); has && m == msg {
			found = true
			l.drop(id, k)
		}
	}
	if !found {
		l.add(SeverityError, "unknown-message", d, "no rule loaded before this directive has the message %q", msg)
	}
}

// finish checks what can only be known at the end: references that take effect while requests are served.
func (l *ledger) finish(own []directive) {
	for _, d := range own {
		name, opts := d.split()
		if name != "secrule" && name != "secaction" {
			continue
		}
		r, ok := parseRule(name, opts)
		if !ok {
			continue
		}
		for _, a := range r.actions {
			switch a.key {
			case "skipafter":
				if !l.marks[a.value] {
					l.add(SeverityError, "unknown-marker", d, "there is no SecMarker %q: the engine would skip all rules that follow", a.value)
				}
			case "ctl":
				l.checkCtl(d, a.value)
			}
		}
	}
}

func (l *ledger) checkCtl(d directive, value string) {
	option, argument, _ := strings.Cut(value, "=")
	argument, _, _ = strings.Cut(argument, ";")
	argument = strings.TrimSpace(argument)
	switch strings.ToLower(strings.TrimSpace(option)) {
	case "ruleremovebyid", "ruleremovetargetbyid":
		r, ok := parseIDRange(argument)
		if !ok {
			l.add(SeverityError, "invalid-ctl", d, "%q is neither an id nor a range: the engine would ignore it", argument)
			return
		}
		for id, k := range l.rules {
			if id >= r.from && id <= r.to && !k.removed {
				return
			}
		}
		l.add(SeverityWarning, "ctl-unknown-rule", d, "no loaded rule has the id %s", argument)
	case "ruleremovebytag", "ruleremovetargetbytag":
		if l.tags[argument] <= 0 {
			l.add(SeverityWarning, "ctl-unknown-tag", d, "no loaded rule has the tag %q", argument)
		}
	}
}
