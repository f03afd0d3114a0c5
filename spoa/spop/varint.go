package spop

import "errors"

// Errors of the decoder. All of them mean that the peer sent something we refuse to guess about.
var (
	ErrShort    = errors.New("truncated value")
	ErrVarint   = errors.New("varint does not fit in 64 bits")
	ErrType     = errors.New("unknown data type")
	ErrTooMany  = errors.New("too many items")
	ErrFrame    = errors.New("invalid frame")
	ErrTooLarge = errors.New("frame is too large")
)

// uvarint decodes SPOE's own integer encoding: a first byte below 240 stands for itself, otherwise its low
// four bits are the start of a number that goes on in groups of seven bits.
func uvarint(b []byte) (v uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, ErrShort
	}
	v = uint64(b[0])
	if v < 240 {
		return v, b[1:], nil
	}
	shift := uint(4)
	for i := 1; i < len(b); i++ {
		if shift > 63 {
			return 0, nil, ErrVarint
		}
		group := uint64(b[i])
		term := group << shift
		if term>>shift != group {
			return 0, nil, ErrVarint
		}
		sum := v + term
		if sum < v {
			return 0, nil, ErrVarint
		}
		v = sum
		if group < 128 {
			return v, b[i+1:], nil
		}
		shift += 7
	}
	return 0, nil, ErrShort
}

func appendUvarint(b []byte, v uint64) []byte {
	if v < 240 {
		return append(b, byte(v))
	}
	b = append(b, byte(v)|0xf0)
	v = (v - 240) >> 4
	for v >= 128 {
		b = append(b, byte(v)|0x80)
		v = (v - 128) >> 7
	}
	return append(b, byte(v))
}

// chunk reads a length and that many bytes. The result shares the memory of b.
func chunk(b []byte) (data, rest []byte, err error) {
	n, rest, err := uvarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(rest)) {
		return nil, nil, ErrShort
	}
	return rest[:n:n], rest[n:], nil
}

func appendString(b []byte, s string) []byte {
	b = appendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
