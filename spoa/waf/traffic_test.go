package waf

import (
	"strings"
	"sync"
	"testing"
)

func TestTraffic(t *testing.T) {
	allow, deny, fault := Verdict{Action: "allow"}, Verdict{Action: "deny"}, Verdict{Fault: FaultOverload}
	would := Verdict{Action: "allow", Detected: &Detected{Action: "deny"}}
	for name, x := range map[string]struct {
		id      string
		verdict Verdict
		want    Counts
	}{
		"passed":            {"gp.1.1.5.4.B.W-.7.3.x", allow, Counts{Inspected: 1}},
		"blocked":           {"gp.1.1.5.4.B.C-.7.3.x", deny, Counts{Inspected: 1, Blocked: 1}},
		"redirected":        {"gp.1.1.5.4.B.W-.7.3.x", Verdict{Action: "redirect"}, Counts{Inspected: 1, Blocked: 1}},
		"detected":          {"gp.1.1.5.4.D.W-.7.3.x", would, Counts{Inspected: 1, Detected: 1}},
		"denied in detect":  {"gp.1.1.5.4.D.W-.7.3.x", deny, Counts{Inspected: 1, Detected: 1}},
		"failed":            {"gp.1.1.5.4.D.W-.7.3.x", fault, Counts{Failed: 1}},
		"a probe":           {"gp.1.1.5.4.B.Wp.7.3.x", deny, Counts{}},
		"a canary":          {"gp.1.1.5.4.B.WP.7.3.x", deny, Counts{}},
		"a canary, cut":     {"gp.1.1.5.4.B.CP.7.3.x", deny, Counts{}},
		"of stock":          {"0191-uuid", deny, Counts{}},
		"of another vhost":  {"gp.1.1.5.4.B.W-.8.3.x", deny, Counts{}},
		"no number":         {"gp.1.1.5.4.B.W-.seven.3.x", deny, Counts{}},
		"too great a one":   {"gp.1.1.5.4.B.W-.4294967296.3.x", deny, Counts{}},
		"without the rest":  {"gp.1.1.5.4.B.W-.7", deny, Counts{}},
		"dots and no parts": {strings.Repeat(".", 20), deny, Counts{}},
	} {
		var traffic Traffic
		traffic.Count(&Request{ID: x.id}, x.verdict)
		if got := traffic.Vhosts()[7]; got != x.want {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
}

func TestTrafficOfManyAtOnce(t *testing.T) {
	var (
		traffic Traffic
		all     sync.WaitGroup
	)
	for range 8 {
		all.Go(func() {
			for range 1000 {
				traffic.Count(&Request{ID: "gp.1.1.5.4.B.W-.7.3.x"}, Verdict{Action: "deny"})
				traffic.Vhosts()
			}
		})
	}
	all.Wait()
	if got, want := traffic.Vhosts()[7], (Counts{Inspected: 8000, Blocked: 8000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTrafficIsBounded(t *testing.T) {
	traffic := Traffic{vhosts: map[uint32]Counts{}}
	for n := range uint32(maxVhosts) {
		traffic.vhosts[n] = Counts{}
	}
	for _, id := range []string{"gp.1.1.5.4.B.W-.7.3.x", "gp.1.1.5.4.B.W-.100000.3.x"} {
		traffic.Count(&Request{ID: id}, Verdict{Action: "allow"})
	}
	if got := traffic.Vhosts(); len(got) != maxVhosts || got[7].Inspected != 1 {
		t.Errorf("%d vhosts, %+v", len(got), got[7])
	}
}
