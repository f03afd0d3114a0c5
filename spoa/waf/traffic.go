package waf

import (
	"maps"
	"strconv"
	"strings"
	"sync"
)

// maxVhosts bounds Traffic; a vhost beyond it is not counted. Numbers of vhosts are never used again, so an agent
// that runs for long may know more than there are.
const maxVhosts = 100_000

// Counts are of requests of clients since the process began; they wrap around.
type Counts struct {
	// Inspected got a verdict, whatever it was.
	Inspected uint32 `json:"inspected"`
	// Blocked are those of them that HAProxy was told to refuse, in block mode.
	Blocked uint32 `json:"blocked"`
	// Detected are those that would have been refused, and passed in detect mode.
	Detected uint32 `json:"detected"`
	// Failed got no verdict.
	Failed uint32 `json:"failed"`
}

// Traffic counts by the number of the vhost.
type Traffic struct {
	mu     sync.Mutex
	vhosts map[uint32]Counts
}

// Count counts a request and what became of it, unless it is a probe or its id does not say which vhost it is for.
func (t *Traffic) Count(req *Request, v Verdict) {
	vhost, mode, ok := req.client()
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c, known := t.vhosts[vhost]
	if !known && len(t.vhosts) == maxVhosts {
		return
	}
	if t.vhosts == nil {
		t.vhosts = map[uint32]Counts{}
	}
	switch refused := v.Action != "allow"; {
	case v.Fault != "":
		c.Failed++
	case mode == 'D' && (refused || v.Detected != nil):
		c.Inspected++
		c.Detected++
	case refused:
		c.Inspected++
		c.Blocked++
	default:
		c.Inspected++
	}
	t.vhosts[vhost] = c
}

// Vhosts is a copy of the counts.
func (t *Traffic) Vhosts() map[uint32]Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.vhosts)
}

// client reads vhost and mode from gp.<a>.<b>.<c>.<d>.<B|D>.<W|C><-|p|P>.<vhost>.…; not ok for a probe, and if the
// id has another form.
func (r *Request) client() (vhost uint32, mode byte, ok bool) {
	parts := strings.SplitN(r.ID, ".", 9)
	if len(parts) < 9 || parts[0] != "gp" || len(parts[5]) != 1 || len(parts[6]) != 2 || parts[6][1] != '-' {
		return 0, 0, false
	}
	number, err := strconv.ParseUint(parts[7], 10, 32)
	return uint32(number), parts[5][0], err == nil
}
