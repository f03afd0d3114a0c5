package spop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Reply is the answer to a NOTIFY.
type Reply struct {
	Actions []Action
	// Withhold suppresses the acknowledgement. It exists for tests of HAProxy's timeouts only.
	Withhold bool
}

// Handler decides about a NOTIFY. It is called from many goroutines. Values in messages are valid until it
// returns.
type Handler interface {
	Notify(messages []Message, arrived time.Time) Reply
	// Malformed answers a NOTIFY whose messages cannot be read.
	Malformed(err error) Reply
	// Overloaded answers a NOTIFY for which there is no memory left.
	Overloaded() Reply
}

// Config bounds a server. Zero values get the defaults of NewServer.
type Config struct {
	// MaxFrameSize in bytes, without the length prefix.
	MaxFrameSize uint32
	// MaxBuffered is how many bytes of frames may be in work over all connections.
	MaxBuffered int64
	// IdleTimeout closes a connection without a frame. It has to be above HAProxy's `timeout idle`, else a
	// request can meet a closing connection.
	IdleTimeout time.Duration
	// FrameTimeout is how long the rest of a begun frame, a HELLO or a write may take.
	FrameTimeout time.Duration
	Logger       *slog.Logger
}

// Server serves SPOP connections.
type Server struct {
	cfg      Config
	handler  Handler
	buffered atomic.Int64
	closing  atomic.Bool

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	wg        sync.WaitGroup
}

// NewServer makes a server.
func NewServer(handler Handler, cfg Config) *Server {
	if cfg.MaxFrameSize == 0 {
		cfg.MaxFrameSize = 4<<20 + 64<<10
	}
	if cfg.MaxBuffered == 0 {
		cfg.MaxBuffered = 256 << 20
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 30 * time.Minute
	}
	if cfg.FrameTimeout == 0 {
		cfg.FrameTimeout = 15 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		cfg: cfg, handler: handler,
		listeners: map[net.Listener]struct{}{},
		conns:     map[*conn]struct{}{},
	}
}

// Connections is the number of open connections.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Serve accepts until the listener is closed. It returns nil after Shutdown.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return l.Close()
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.closing.Load() {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of file descriptors, most likely: the listener is fine, wait for better times.
			s.cfg.Logger.Error("accept failed", "error", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		c := newConn(s, nc)
		if !s.add(c) {
			_ = nc.Close()
			continue
		}
		go func() {
			defer s.remove(c)
			c.serve()
		}()
	}
}

// Shutdown stops listening, lets the NOTIFY frames that were read be answered, says goodbye on each
// connection and closes it. After ctx ends it closes what is left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	for l := range s.listeners {
		_ = l.Close()
	}
	for c := range s.conns {
		c.interrupt()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		_ = c.nc.Close()
	}
	s.mu.Unlock()
	return ctx.Err()
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.wg.Done()
}

// decide asks the handler. A panic that it let through is answered like everything else, with no action.
func (s *Server) decide(payload []byte, arrived time.Time) (reply Reply) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Logger.Error("handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply = Reply{}
		}
	}()
	messages, err := decodeMessages(payload)
	if err != nil {
		return s.handler.Malformed(err)
	}
	return s.handler.Notify(messages, arrived)
}
