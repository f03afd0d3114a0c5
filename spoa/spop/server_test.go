package spop_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guard-proxy/guard-proxy/spoa/internal/spoptest"
	"github.com/guard-proxy/guard-proxy/spoa/spop"
)

// script is a handler: it does what the first message is called.
type script struct {
	release chan struct{}
	calls   atomic.Int64
}

func said(s string) spop.Reply {
	return spop.Reply{Actions: []spop.Action{spop.SetTxn("said", spop.NewString(s))}}
}

func (s *script) Notify(messages []spop.Message, _ time.Time) spop.Reply {
	s.calls.Add(1)
	switch messages[0].Name {
	case "wait":
		<-s.release
	case "panic":
		panic("as asked")
	case "withhold":
		return spop.Reply{Withhold: true}
	case "long":
		return said(strings.Repeat("x", 5000))
	}
	return said(messages[0].Args[0].Value.String())
}
func (s *script) Malformed(error) spop.Reply { return said("malformed") }
func (s *script) Overloaded() spop.Reply     { return said("overloaded") }

func serve(t *testing.T, cfg spop.Config) (*spop.Server, *script, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	h := &script{release: make(chan struct{})}
	s := spop.NewServer(h, cfg)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return s, h, path
}

func dial(t *testing.T, path string, size int) *spoptest.Client {
	t.Helper()
	c, err := spoptest.Dial("unix", path, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func expect(t *testing.T, c *spoptest.Client, streamID uint64, want any) {
	t.Helper()
	f, err := c.Read()
	if err != nil || f.Type != 103 || f.StreamID != streamID || f.Values["said"] != want {
		t.Fatalf("got %+v (%v), want an ACK of stream %d with %v", f, err, streamID, want)
	}
}

func notify(t *testing.T, c *spoptest.Client, id uint64, name string) {
	t.Helper()
	if err := c.Notify(id, 1, name, spoptest.Arg{Name: "x", Value: name}); err != nil {
		t.Fatal(err)
	}
}

func TestHello(t *testing.T) {
	_, _, path := serve(t, spop.Config{MaxFrameSize: 65536})
	c := dial(t, path, 16380)
	if c.Hello["version"] != "2.0" || c.Hello["max-frame-size"] != int64(16380) || c.Hello["capabilities"] != "pipelining" {
		t.Errorf("HELLO %v", c.Hello)
	}
	if c := dial(t, path, 1<<22); c.Hello["max-frame-size"] != int64(65536) {
		t.Errorf("HELLO %v", c.Hello)
	}
}

func TestHealthCheckIsAnsweredAndClosed(t *testing.T) {
	_, _, path := serve(t, spop.Config{})
	c, err := spoptest.Connect("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.Send(1, 0, 0, spoptest.HelloPayload(16380, true))
	if f, err := c.Read(); err != nil || f.Type != 101 {
		t.Fatalf("%+v %v", f, err)
	}
	if f, err := c.Read(); err == nil {
		t.Fatalf("the connection stayed open: %+v", f)
	}
}

func TestPipelining(t *testing.T) {
	_, h, path := serve(t, spop.Config{})
	c := dial(t, path, 16380)
	notify(t, c, 1, "wait")
	notify(t, c, 2, "fast")
	expect(t, c, 2, "fast")
	close(h.release)
	expect(t, c, 1, "wait")
}

func TestEveryNotifyIsAcknowledged(t *testing.T) {
	_, h, path := serve(t, spop.Config{})
	c := dial(t, path, 16380)
	_ = c.Send(3, 1, 1, []byte{1, 'm', 9})
	expect(t, c, 1, "malformed")
	notify(t, c, 2, "panic")
	expect(t, c, 2, nil)
	notify(t, c, 3, "withhold")
	notify(t, c, 4, "next")
	expect(t, c, 4, "next")
	// An answer larger than the frame HAProxy takes becomes an empty one.
	small := dial(t, path, 1024)
	notify(t, small, 5, "long")
	expect(t, small, 5, nil)
	if n := h.calls.Load(); n != 4 {
		t.Errorf("%d calls", n)
	}
}

func TestBufferedBytesAreBounded(t *testing.T) {
	_, h, path := serve(t, spop.Config{MaxBuffered: 40})
	c := dial(t, path, 16380)
	notify(t, c, 1, "wait")
	time.Sleep(50 * time.Millisecond)
	notify(t, c, 2, "this one does not fit beside it")
	expect(t, c, 2, "overloaded")
	close(h.release)
	expect(t, c, 1, "wait")
	notify(t, c, 3, "again")
	expect(t, c, 3, "again")
}

func TestProtocolErrorsDisconnect(t *testing.T) {
	hello := spoptest.FrameBytes(1, 1, 0, 0, spoptest.HelloPayload(1024, false))
	msg := spoptest.MessageBytes("m", spoptest.Arg{Name: "x", Value: "y"})
	for name, c := range map[string]struct {
		greeted bool
		bytes   []byte
		status  int64
	}{
		"NOTIFY before HELLO": {false, spoptest.FrameBytes(3, 1, 1, 1, msg), 4},
		"two HELLO":           {true, hello, 4},
		"fragment":            {true, spoptest.FrameBytes(3, 0, 1, 1, msg), 10},
		"abort":               {true, spoptest.FrameBytes(3, 3, 1, 1, msg), 10},
		"too big":             {true, []byte{0, 0, 4, 1}, 3},
		"empty frame":         {true, []byte{0, 0, 0, 0}, 4},
		"short header":        {true, []byte{0, 0, 0, 2, 3, 0}, 4},
		"huge length":         {false, []byte{255, 255, 255, 255}, 3},
		"not SPOP":            {false, []byte("GET / HTTP/1.1\r\n\r\n"), 3},
		"bad HELLO":           {false, spoptest.FrameBytes(1, 1, 0, 0, []byte{255}), 4},
		"DISCONNECT":          {true, spoptest.FrameBytes(2, 1, 0, 0, nil), 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, path := serve(t, spop.Config{})
			var conn *spoptest.Client
			if c.greeted {
				conn = dial(t, path, 1024)
			} else {
				var err error
				if conn, err = spoptest.Connect("unix", path); err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
			}
			_, _ = conn.Conn.Write(c.bytes)
			f, err := conn.Read()
			if err != nil || f.Type != 102 || f.Values["status-code"] != c.status {
				t.Fatalf("%+v %v", f, err)
			}
			if _, err := conn.Read(); err == nil {
				t.Fatal("the connection stayed open")
			}
		})
	}
}

func TestUnknownFrameIsIgnored(t *testing.T) {
	_, _, path := serve(t, spop.Config{})
	c := dial(t, path, 1024)
	_ = c.Send(77, 1, 1, []byte("?"))
	notify(t, c, 2, "next")
	expect(t, c, 2, "next")
}

func TestTimeouts(t *testing.T) {
	_, _, path := serve(t, spop.Config{IdleTimeout: 50 * time.Millisecond, FrameTimeout: 100 * time.Millisecond})
	// Idle.
	c := dial(t, path, 1024)
	if f, err := c.Read(); err != nil || f.Type != 102 || f.Values["status-code"] != int64(2) {
		t.Errorf("idle: %+v %v", f, err)
	}
	// Half a frame, and none at all instead of HELLO.
	for _, b := range [][]byte{{0, 0, 0, 9, 1}, {}} {
		c, err := spoptest.Connect("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Conn.Write(b)
		if f, err := c.Read(); err != nil || f.Type != 102 {
			t.Errorf("%v: %+v %v", b, f, err)
		}
		c.Close()
	}
}

func TestShutdownAnswersWhatWasRead(t *testing.T) {
	s, h, path := serve(t, spop.Config{})
	c := dial(t, path, 1024)
	notify(t, c, 1, "wait")
	for h.calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	time.Sleep(50 * time.Millisecond)
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("still listening")
	}
	close(h.release)
	expect(t, c, 1, "wait")
	if f, err := c.Read(); err != nil || f.Type != 102 || f.Values["status-code"] != int64(0) {
		t.Errorf("%+v %v", f, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := s.Connections(); n != 0 {
		t.Errorf("%d connections left", n)
	}
}
