package spop

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestUvarint(t *testing.T) {
	for _, v := range []uint64{0, 1, 239, 240, 241, 2287, 2288, 264431, 264432, 33818863, 1 << 32, 1 << 63, math.MaxUint64} {
		b := appendUvarint(nil, v)
		got, rest, err := uvarint(append(b, 7))
		if err != nil || got != v || !bytes.Equal(rest, []byte{7}) {
			t.Errorf("%d: got %d, rest %v, error %v", v, got, rest, err)
		}
	}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"empty":    {nil, ErrShort},
		"open":     {[]byte{0xff, 0x80}, ErrShort},
		"too long": {bytes.Repeat([]byte{0xff}, 12), ErrVarint},
		"overflow": {[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, ErrVarint},
	} {
		if _, _, err := uvarint(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

func TestTyped(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"empty":        {nil, ErrShort},
		"unknown":      {[]byte{0x0a}, ErrType},
		"short ipv4":   {[]byte{6, 1, 2, 3}, ErrShort},
		"short ipv6":   {append([]byte{7}, make([]byte, 15)...), ErrShort},
		"short string": {[]byte{8, 5, 'a'}, ErrShort},
		"huge string":  {append([]byte{9}, appendUvarint(nil, math.MaxUint64)...), ErrShort},
		"short int":    {[]byte{4}, ErrShort},
	} {
		if _, _, err := typed(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	v, rest, err := typed([]byte{0x11, 9})
	if err != nil || !v.Bool() || len(rest) != 1 {
		t.Errorf("bool: %v %v %v", v, rest, err)
	}
	minus := int64(-5)
	v, _, err = typed(appendTyped(nil, NewInt(minus)))
	if err != nil || v.Int() != minus {
		t.Errorf("negative: %d %v", v.Int(), err)
	}
	v, _, _ = typed([]byte{6, 192, 0, 2, 1})
	if v.Addr().String() != "192.0.2.1" || v.Bytes() != nil || v.Int() != 0 {
		t.Errorf("address: %v", v.Addr())
	}
}

func TestDecodeMessagesBounds(t *testing.T) {
	one := append(appendString(nil, "m"), 0)
	if _, err := decodeMessages(bytes.Repeat(one, maxMessages)); err != nil {
		t.Errorf("%d messages: %v", maxMessages, err)
	}
	if _, err := decodeMessages(bytes.Repeat(one, maxMessages+1)); !errors.Is(err, ErrTooMany) {
		t.Errorf("too many messages: %v", err)
	}
	// 255 arguments announced, none sent.
	if _, err := decodeMessages(append(appendString(nil, "m"), 255)); !errors.Is(err, ErrShort) {
		t.Error("missing arguments were accepted")
	}
	if _, err := decodeMessages(appendString(nil, "m")); !errors.Is(err, ErrShort) {
		t.Error("a missing count was accepted")
	}
}

func TestNegotiate(t *testing.T) {
	hello := func(version string, size Value, capabilities Value) []byte {
		b := appendPair(nil, "supported-versions", NewString(version))
		b = appendPair(b, "max-frame-size", size)
		return appendPair(b, "capabilities", capabilities)
	}
	caps := NewString("pipelining,async")
	for name, c := range map[string]struct {
		in     []byte
		status Status
		size   uint32
		pipe   bool
	}{
		"smaller":        {hello("2.0", NewUint32(16380), caps), StatusNormal, 16380, true},
		"larger":         {hello("1.0, 2.0", NewUint32(1<<24), caps), StatusNormal, 65536, true},
		"no pipelining":  {hello("2.0", NewUint32(16380), NewString("")), StatusNormal, 16380, false},
		"tiny":           {hello("2.0", NewUint32(255), caps), StatusBadFrameSize, 0, false},
		"old":            {hello("1.0", NewUint32(16380), caps), StatusBadVersion, 0, false},
		"no size":        {hello("2.0", Value{}, caps), StatusNoFrameSize, 0, false},
		"no caps":        {hello("2.0", NewUint32(16380), Value{}), StatusNoCapabilities, 0, false},
		"no version":     {nil, StatusNoVersion, 0, false},
		"cannot be read": {[]byte{0xff}, StatusInvalid, 0, false},
	} {
		s, status := negotiate(c.in, 65536)
		if status != c.status || s.maxFrame != c.size || s.pipelining != c.pipe {
			t.Errorf("%s: %+v, status %d", name, s, status)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 1, 1, 2, 9})
	f.Add([]byte{3, 0, 0, 0, 1, 0xff, 0xff})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := decodeFrame(b)
		if err != nil {
			return
		}
		again, err := decodeFrame(appendFrame(nil, fr.typ, fr.streamID, fr.frameID, fr.payload)[prefix:])
		if err != nil || again.streamID != fr.streamID || again.frameID != fr.frameID || !bytes.Equal(again.payload, fr.payload) {
			t.Fatalf("%+v became %+v (%v)", fr, again, err)
		}
		_, _ = decodePairs(fr.payload)
		_, _ = negotiate(fr.payload, 65536)
	})
}

func FuzzTyped(f *testing.F) {
	for _, v := range []Value{{}, NewBool(true), NewInt(-1), NewUint32(1 << 31), NewString("a")} {
		f.Add(appendTyped(nil, v))
	}
	f.Add([]byte{7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Add([]byte{9, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := typed(b)
		if err != nil {
			return
		}
		if len(rest) >= len(b) {
			t.Fatal("nothing was consumed")
		}
		again, _, err := typed(appendTyped(nil, v))
		if err != nil || again.Type != v.Type || again.num != v.num || !bytes.Equal(again.bytes, v.bytes) {
			t.Fatalf("%+v became %+v (%v)", v, again, err)
		}
	})
}

func FuzzNotify(f *testing.F) {
	m := append(appendString(nil, "coraza-req"), 2)
	m = appendPair(m, "app", NewString("a"))
	m = appendPair(m, "src-port", NewInt(80))
	f.Add(m)
	f.Add(append(m, m...))
	f.Add(m[:len(m)-1])
	f.Add([]byte{1, 'm', 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		messages, err := decodeMessages(b)
		if err != nil {
			return
		}
		var again []byte
		for _, m := range messages {
			again = append(appendString(again, m.Name), byte(len(m.Args)))
			for _, a := range m.Args {
				again = appendPair(again, a.Name, a.Value)
			}
		}
		if second, err := decodeMessages(again); err != nil || len(second) != len(messages) {
			t.Fatalf("encoded anew: %v", err)
		}
	})
}
