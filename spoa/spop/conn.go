package spop

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is one connection. One goroutine reads; each NOTIFY is answered by its own, so that a slow request
// does not hold up those behind it (pipelining).
type conn struct {
	srv     *Server
	nc      net.Conn
	r       *bufio.Reader
	sess    session
	greeted bool
	pending sync.WaitGroup

	wmu    sync.Mutex
	broken bool
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{srv: s, nc: nc, r: bufio.NewReaderSize(nc, 64<<10)}
}

// buffers are reused up to this size; larger ones are rare and left to the garbage collector.
const pooledBuffer = 1 << 20

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 32<<10); return &b }}

func putBuffer(b *[]byte) {
	if cap(*b) <= pooledBuffer {
		buffers.Put(b)
	}
}

// interrupt makes a waiting read return. Frames that arrived whole are still served.
func (c *conn) interrupt() { _ = c.nc.SetReadDeadline(time.Unix(1, 0)) }

func (c *conn) serve() {
	status, say := c.loop()
	c.pending.Wait()
	if say {
		_ = c.write(frameAgentDisconnect, 0, 0, disconnect(status))
	}
	_ = c.nc.Close()
}

// loop reads frames until the connection ends. It tells the status of our DISCONNECT and whether to send one.
func (c *conn) loop() (Status, bool) {
	for {
		buf, err := c.read()
		if err != nil {
			return c.readStatus(err)
		}
		f, err := decodeFrame(*buf)
		if err != nil {
			putBuffer(buf)
			return StatusInvalid, true
		}
		if f.flags&flagFin == 0 || f.flags&flagAbort != 0 {
			// We never announce fragmentation.
			putBuffer(buf)
			return StatusFragmented, true
		}
		switch f.typ {
		case frameHAProxyHello:
			status, done := c.hello(f)
			putBuffer(buf)
			if done {
				return status, status != StatusNormal
			}
		case frameHAProxyDisconnect:
			putBuffer(buf)
			return StatusNormal, true
		case frameNotify:
			if !c.greeted {
				putBuffer(buf)
				return StatusInvalid, true
			}
			c.notify(f, buf)
		default:
			// The specification: a frame of an unknown type is to be ignored.
			putBuffer(buf)
		}
	}
}

func (c *conn) readStatus(err error) (Status, bool) {
	switch {
	case errors.Is(err, ErrTooLarge):
		return StatusTooBig, true
	case errors.Is(err, ErrFrame):
		return StatusInvalid, true
	case errors.Is(err, os.ErrDeadlineExceeded):
		if c.srv.closing.Load() {
			return StatusNormal, true
		}
		return StatusTimeout, true
	default: // the peer is gone
		return StatusIO, false
	}
}

// read reads one frame into a pooled buffer.
func (c *conn) read() (*[]byte, error) {
	limit := c.srv.cfg.MaxFrameSize
	idle := c.srv.cfg.IdleTimeout
	if c.greeted {
		limit = c.sess.maxFrame
	} else {
		idle = c.srv.cfg.FrameTimeout
	}
	c.deadline(idle)
	var head [prefix]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > limit {
		return nil, ErrTooLarge
	}
	if n == 0 {
		return nil, ErrFrame
	}
	buf := buffers.Get().(*[]byte)
	if cap(*buf) < int(n) {
		*buf = make([]byte, n)
	}
	*buf = (*buf)[:n]
	if c.r.Buffered() < int(n) {
		c.deadline(c.srv.cfg.FrameTimeout)
	}
	if _, err := io.ReadFull(c.r, *buf); err != nil {
		putBuffer(buf)
		return nil, err
	}
	return buf, nil
}

// deadline bounds the next read. The order matters: Shutdown sets closing first and interrupts then, so
// whichever comes last, a closing server's read ends.
func (c *conn) deadline(d time.Duration) {
	_ = c.nc.SetReadDeadline(time.Now().Add(d))
	if c.srv.closing.Load() {
		c.interrupt()
	}
}

func (c *conn) hello(f frame) (status Status, done bool) {
	if c.greeted {
		return StatusInvalid, true
	}
	sess, status := negotiate(f.payload, c.srv.cfg.MaxFrameSize)
	if status != StatusNormal {
		c.srv.cfg.Logger.Warn("HELLO refused", "reason", status.message())
		return status, true
	}
	c.sess, c.greeted = sess, true
	if err := c.write(frameAgentHello, 0, 0, sess.hello()); err != nil {
		return StatusNormal, true
	}
	// A health check wants our HELLO and nothing else.
	return StatusNormal, sess.healthCheck
}

func (c *conn) notify(f frame, buf *[]byte) {
	arrived := time.Now()
	size := int64(len(*buf))
	if c.srv.buffered.Add(size) > c.srv.cfg.MaxBuffered {
		c.srv.buffered.Add(-size)
		putBuffer(buf)
		c.ack(f, c.srv.handler.Overloaded())
		return
	}
	answer := func() {
		defer c.pending.Done()
		reply := c.srv.decide(f.payload, arrived)
		putBuffer(buf)
		c.srv.buffered.Add(-size)
		c.ack(f, reply)
	}
	c.pending.Add(1)
	if c.sess.pipelining {
		go answer()
	} else {
		answer()
	}
}

// ack acknowledges a NOTIFY exactly once. An answer that does not fit is replaced by an empty one: no
// verdict and no fault is a fault for HAProxy's rules.
func (c *conn) ack(f frame, reply Reply) {
	if reply.Withhold {
		return
	}
	payload := appendActions(make([]byte, 0, 256), reply.Actions)
	if uint64(len(payload))+25 > uint64(c.sess.maxFrame) {
		c.srv.cfg.Logger.Error("answer does not fit in a frame", "bytes", len(payload))
		payload = nil
	}
	if err := c.write(frameAck, f.streamID, f.frameID, payload); err != nil {
		// Without this acknowledgement the stream would wait for its timeout: closing tells HAProxy at once.
		_ = c.nc.Close()
	}
}

func (c *conn) write(typ frameType, streamID, frameID uint64, payload []byte) error {
	b := appendFrame(make([]byte, 0, len(payload)+32), typ, streamID, frameID, payload)
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.broken {
		return net.ErrClosed
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.srv.cfg.FrameTimeout))
	if _, err := c.nc.Write(b); err != nil {
		// Half a frame may be out: nothing that follows would be understood.
		c.broken = true
		return err
	}
	return nil
}
