package spop

import (
	"net/netip"
)

// Type is the kind of a typed value on the wire (SPOE specification 3.1).
type Type byte

// The types of SPOE. HAProxy sends a sample that does not exist as TypeNull.
const (
	TypeNull   Type = 0
	TypeBool   Type = 1
	TypeInt32  Type = 2
	TypeUint32 Type = 3
	TypeInt64  Type = 4
	TypeUint64 Type = 5
	TypeIPv4   Type = 6
	TypeIPv6   Type = 7
	TypeString Type = 8
	TypeBinary Type = 9
)

// Value is one typed value. Bytes share the memory of the frame they came from and are valid only until
// the handler returns.
type Value struct {
	Type  Type
	num   uint64
	bytes []byte
}

// NewString, NewInt, NewUint32 and NewBool make values to send.
func NewString(s string) Value { return Value{Type: TypeString, bytes: []byte(s)} }

// NewInt makes a signed 64-bit value.
func NewInt(n int64) Value { return Value{Type: TypeInt64, num: uint64(n)} }

// NewUint32 makes an unsigned 32-bit value, the type the protocol wants for its own fields.
func NewUint32(n uint32) Value { return Value{Type: TypeUint32, num: uint64(n)} }

// NewBool makes a boolean.
func NewBool(v bool) Value {
	if v {
		return Value{Type: TypeBool, num: 1}
	}
	return Value{Type: TypeBool}
}

// IsNull tells a missing sample.
func (v Value) IsNull() bool { return v.Type == TypeNull }

// Bytes is the content of a string or binary value, else nil.
func (v Value) Bytes() []byte {
	if v.Type == TypeString || v.Type == TypeBinary {
		return v.bytes
	}
	return nil
}

// String is a copy of the content of a string or binary value, else empty.
func (v Value) String() string { return string(v.Bytes()) }

// Int is the number of an integer value, else 0.
func (v Value) Int() int64 {
	switch v.Type {
	case TypeInt32, TypeUint32, TypeInt64, TypeUint64:
		return int64(v.num)
	default:
		return 0
	}
}

// Bool is the truth of a boolean, else false.
func (v Value) Bool() bool { return v.Type == TypeBool && v.num != 0 }

// Addr is the address of an IP value, else the zero Addr.
func (v Value) Addr() netip.Addr {
	if v.Type != TypeIPv4 && v.Type != TypeIPv6 {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(v.bytes)
	return a
}

// typed decodes one typed value.
func typed(b []byte) (v Value, rest []byte, err error) {
	if len(b) == 0 {
		return Value{}, nil, ErrShort
	}
	head, b := b[0], b[1:]
	v.Type = Type(head & 0x0f)
	switch v.Type {
	case TypeNull:
		return v, b, nil
	case TypeBool:
		v.num = uint64(head>>4) & 1
		return v, b, nil
	case TypeInt32, TypeUint32, TypeInt64, TypeUint64:
		v.num, rest, err = uvarint(b)
		return v, rest, err
	case TypeIPv4:
		return fixed(v, b, 4)
	case TypeIPv6:
		return fixed(v, b, 16)
	case TypeString, TypeBinary:
		v.bytes, rest, err = chunk(b)
		return v, rest, err
	default:
		return Value{}, nil, ErrType
	}
}

func fixed(v Value, b []byte, n int) (Value, []byte, error) {
	if len(b) < n {
		return Value{}, nil, ErrShort
	}
	v.bytes = b[:n:n]
	return v, b[n:], nil
}

func appendTyped(b []byte, v Value) []byte {
	switch v.Type {
	case TypeBool:
		return append(b, byte(TypeBool)|byte(v.num&1)<<4)
	case TypeInt32, TypeUint32, TypeInt64, TypeUint64:
		return appendUvarint(append(b, byte(v.Type)), v.num)
	case TypeIPv4, TypeIPv6:
		return append(append(b, byte(v.Type)), v.bytes...)
	case TypeString, TypeBinary:
		b = appendUvarint(append(b, byte(v.Type)), uint64(len(v.bytes)))
		return append(b, v.bytes...)
	default:
		return append(b, byte(TypeNull))
	}
}
