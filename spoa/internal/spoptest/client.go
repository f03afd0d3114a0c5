// Package spoptest is HAProxy's side of SPOP, for tests. It encodes on its own, so that an error in package
// spop cannot hide itself.
package spoptest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// Frame is a frame as it was received.
type Frame struct {
	Type              byte
	StreamID, FrameID uint64
	// Values are the variables of an ACK, or the pairs of a HELLO or DISCONNECT.
	Values map[string]any
}

// Client is a connection.
type Client struct {
	Conn net.Conn
	r    *bufio.Reader
	// Hello is what the agent answered.
	Hello map[string]any
}

// Arg is an argument: a string, []byte, int, bool, netip.Addr or nil.
type Arg struct {
	Name  string
	Value any
}

// Dial connects and greets.
func Dial(network, address string, maxFrame int) (*Client, error) {
	c, err := Connect(network, address)
	if err != nil {
		return nil, err
	}
	if err := c.Send(1, 0, 0, HelloPayload(maxFrame, false)); err != nil {
		return nil, err
	}
	f, err := c.Read()
	if err != nil {
		return nil, err
	}
	if f.Type != 101 {
		return nil, fmt.Errorf("frame type %d instead of HELLO: %v", f.Type, f.Values)
	}
	c.Hello = f.Values
	return c, nil
}

// Connect connects and says nothing.
func Connect(network, address string) (*Client, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return &Client{Conn: conn, r: bufio.NewReader(conn)}, nil
}

// HelloPayload is HAProxy's greeting.
func HelloPayload(maxFrame int, healthCheck bool) []byte {
	b := pair(nil, "supported-versions", "2.0")
	b = append(str(b, "max-frame-size"), 3)
	b = varint(b, uint64(maxFrame))
	b = pair(b, "capabilities", "pipelining,async")
	if healthCheck {
		b = append(str(b, "healthcheck"), 0x11)
	}
	return b
}

// Close ends the connection.
func (c *Client) Close() { _ = c.Conn.Close() }

// Send sends a frame.
func (c *Client) Send(typ byte, streamID, frameID uint64, payload []byte) error {
	_, err := c.Conn.Write(FrameBytes(typ, 1, streamID, frameID, payload))
	return err
}

// FrameBytes encodes a frame with its length.
func FrameBytes(typ byte, flags uint32, streamID, frameID uint64, payload []byte) []byte {
	b := []byte{0, 0, 0, 0, typ}
	b = binary.BigEndian.AppendUint32(b, flags)
	b = varint(varint(b, streamID), frameID)
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// Notify sends one message.
func (c *Client) Notify(streamID, frameID uint64, message string, args ...Arg) error {
	return c.Send(3, streamID, frameID, MessageBytes(message, args...))
}

// MessageBytes encodes a message.
func MessageBytes(message string, args ...Arg) []byte {
	b := append(str(nil, message), byte(len(args)))
	for _, a := range args {
		b = str(b, a.Name)
		switch v := a.Value.(type) {
		case nil:
			b = append(b, 0)
		case string:
			b = str(append(b, 8), v)
		case []byte:
			b = str(append(b, 9), string(v))
		case int:
			b = varint(append(b, 4), uint64(int64(v)))
		case bool:
			if v {
				b = append(b, 0x11)
			} else {
				b = append(b, 0x01)
			}
		case netip.Addr:
			if v.Is4() {
				b = append(b, 6)
			} else {
				b = append(b, 7)
			}
			b = append(b, v.AsSlice()...)
		default:
			panic(fmt.Sprintf("no encoding for %T", v))
		}
	}
	return b
}

// Read reads a frame.
func (c *Client) Read() (Frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return Frame{}, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c.r, b); err != nil {
		return Frame{}, err
	}
	f := Frame{Type: b[0], Values: map[string]any{}}
	d := &decoder{b: b[5:]}
	f.StreamID, f.FrameID = d.varint(), d.varint()
	for len(d.b) > 0 && d.err == nil {
		if f.Type == 103 {
			d.take(3) // set-var, three arguments, scope
		}
		name := d.str()
		f.Values[name] = d.value()
	}
	return f, d.err
}

type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n > len(d.b) {
		d.err = io.ErrUnexpectedEOF
		return make([]byte, min(n, 16))
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) varint() uint64 {
	v := uint64(d.take(1)[0])
	if v < 240 {
		return v
	}
	for shift := 4; d.err == nil; shift += 7 {
		g := d.take(1)[0]
		v += uint64(g) << shift
		if g < 128 {
			break
		}
	}
	return v
}

func (d *decoder) str() string { return string(d.take(int(d.varint()))) }

func (d *decoder) value() any {
	head := d.take(1)[0]
	switch head & 15 {
	case 0:
		return nil
	case 1:
		return head>>4 == 1
	case 2, 3, 4, 5:
		return int64(d.varint())
	case 6:
		return d.take(4)
	case 7:
		return d.take(16)
	default:
		return d.str()
	}
}

func varint(b []byte, v uint64) []byte {
	if v < 240 {
		return append(b, byte(v))
	}
	b = append(b, byte(v|240))
	for v = (v - 240) >> 4; v >= 128; v = (v - 128) >> 7 {
		b = append(b, byte(v|128))
	}
	return append(b, byte(v))
}

func str(b []byte, s string) []byte { return append(varint(b, uint64(len(s))), s...) }

func pair(b []byte, key, value string) []byte { return str(append(str(b, key), 8), value) }
