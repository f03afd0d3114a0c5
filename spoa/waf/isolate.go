package waf

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/corazawaf/coraza/v3"
)

// isolate keeps the exclusions of one request from reaching another.
//
// Coraza 3.8.1 evaluates a rule with a copy of each of its targets and appends to the copy what
// ctl:ruleRemoveTargetById and its like exclude for this transaction (internal/corazawaf/rule.go, doEvaluate).
// The copy shares its array of exceptions with the rule. Where that array has room left, which is so for a
// target with 3, 5, 6, 7 or 9 exceptions, two transactions at the same time write into the same place, and
// one is judged by the exclusion of the other: in our test 2 of 100 attacks passed. An array without room is
// copied by append, so we cut the capacity of each to its length.
//
// The fields are not exported, hence reflection. What it does not recognise it refuses, so that an update of
// Coraza cannot bring the error back silently; TestExclusionsStayInTheirTransaction proves the effect.
func isolate(engine coraza.WAF) error {
	return eachRule(engine, func(rule reflect.Value) { clipTargets(rule.FieldByName("variables")) })
}

// eachRule calls f with each rule of an engine, those in chains included. What f panics with is an error: a
// field that it looks for is not there.
func eachRule(engine coraza.WAF, f func(rule reflect.Value)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the rules of this engine are not as expected: %v", p)
		}
	}()
	inner := reflect.ValueOf(engine).FieldByName("waf").Elem()
	rules := inner.FieldByName("Rules").FieldByName("rules")
	for i := range rules.Len() {
		for rule := rules.Index(i); ; {
			f(rule)
			chain := rule.FieldByName("Chain")
			if chain.IsNil() {
				break
			}
			rule = chain.Elem()
		}
	}
	return nil
}

func clipTargets(targets reflect.Value) {
	for i := range targets.Len() {
		field := targets.Index(i).FieldByName("Exceptions")
		if field.Cap() == field.Len() {
			continue
		}
		writable(field).SetCap(field.Len())
	}
}

// writable lifts the refusal of reflection to write to what it reached through an unexported field. The memory
// is ours alone until the application is published.
func writable(field reflect.Value) reflect.Value {
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
}
