package waf

import (
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	// slowInARow evaluations that took too long shut an application out for shutOut.
	slowInARow = 3
	shutOut    = 5 * time.Second
)

// turns gives out the slots for evaluations. An application whose rules are expensive must not stop the others:
// it gets all slots only while nobody else waits, and one of them stays free of it once it was slow.
type turns struct {
	limits  Limits
	tripped func(*Application)

	mu      sync.Mutex
	used    int
	waiting list.List // of *waiter
}

// share is what turns keeps for an application, under its lock.
type share struct {
	held, waiting int
	slow          int // evaluations in a row
	shutUntil     time.Time
}

type waiter struct {
	app   *Application
	ready chan struct{}
}

// count is how many wait.
func (t *turns) count() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(t.waiting.Len())
}

// mayRunLocked tells whether a free slot may go to this application.
func (t *turns) mayRunLocked(app *Application) bool {
	s := &app.share
	if t.used >= t.limits.Evaluations {
		return false
	}
	othersWait := t.waiting.Len() > s.waiting
	return s.held < max(1, t.limits.Evaluations-1) || !othersWait && s.slow == 0
}

// enter waits for a turn until the queue's time, counted from arrived, is over.
func (t *turns) enter(ctx context.Context, app *Application, arrived time.Time) (*turn, bool) {
	left := t.limits.QueueTimeout - time.Since(arrived)
	if left <= 0 {
		return nil, false
	}
	t.mu.Lock()
	if time.Now().Before(app.share.shutUntil) {
		t.mu.Unlock()
		return nil, false
	}
	if t.mayRunLocked(app) {
		defer t.mu.Unlock()
		return t.startLocked(app), true
	}
	// An eighth of the queue is for others.
	if t.waiting.Len() >= t.limits.Queue || app.share.waiting >= t.limits.Queue-t.limits.Queue/8 {
		t.mu.Unlock()
		return nil, false
	}
	w := &waiter{app: app, ready: make(chan struct{})}
	place := t.waiting.PushBack(w)
	app.share.waiting++
	t.mu.Unlock()

	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-w.ready:
	case <-timer.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-w.ready: // already taken off the queue and counted as used, also when the time ran out just then
	default:
		t.waiting.Remove(place)
		app.share.waiting--
		t.grantLocked() // who waits for others to go first may go now
		return nil, false
	}
	if time.Now().Before(app.share.shutUntil) {
		t.used--
		app.share.held--
		t.grantLocked()
		return nil, false
	}
	return t.watch(app), true
}

func (t *turns) startLocked(app *Application) *turn {
	t.used++
	app.share.held++
	return t.watch(app)
}

// grantLocked hands free slots to those that have waited longest and may have one.
func (t *turns) grantLocked() {
	for e := t.waiting.Front(); e != nil && t.used < t.limits.Evaluations; {
		w := e.Value.(*waiter)
		next := e.Next()
		if t.mayRunLocked(w.app) {
			t.waiting.Remove(e)
			w.app.share.waiting--
			t.used++
			w.app.share.held++
			close(w.ready)
			next = t.waiting.Front() // one fewer waits: others may have become free to go
		}
		e = next
	}
}

// turn is a slot in use.
type turn struct {
	turns *turns
	app   *Application
	timer *time.Timer
	late  bool // took too long: the slot is given to others already
}

func (t *turns) watch(app *Application) *turn {
	turn := &turn{turns: t, app: app}
	if t.limits.Slow > 0 {
		turn.timer = time.AfterFunc(t.limits.Slow, turn.overdue)
	}
	return turn
}

// overdue writes an evaluation off while it still runs: it cannot be interrupted, but its slot can go to
// others. It goes on counting as held by its application, which bounds how many there are.
func (u *turn) overdue() {
	t := u.turns
	t.mu.Lock()
	if u.app == nil { // it has ended in this moment
		t.mu.Unlock()
		return
	}
	u.late = true
	app := u.app
	app.share.slow++
	trip := app.share.slow >= slowInARow
	if trip {
		app.share.slow = slowInARow - 1 // one more slow one afterwards is enough
		app.share.shutUntil = time.Now().Add(shutOut)
	}
	t.used--
	t.grantLocked()
	t.mu.Unlock()
	if trip {
		t.tripped(app)
	}
}

func (u *turn) leave() {
	if u.timer != nil {
		u.timer.Stop()
	}
	t := u.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	u.app.share.held--
	if !u.late {
		u.app.share.slow = 0
		t.used--
	}
	u.app = nil
	t.grantLocked()
}
