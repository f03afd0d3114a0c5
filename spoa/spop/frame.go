// Package spop speaks the Stream Processing Offload Protocol 2.0 with HAProxy 2.6 to 3.x, from the side of
// the agent. It knows frames, messages and variables, and nothing of what they are used for.
package spop

import (
	"encoding/binary"
)

type frameType byte

const (
	frameHAProxyHello      frameType = 1
	frameHAProxyDisconnect frameType = 2
	frameNotify            frameType = 3
	frameAgentHello        frameType = 101
	frameAgentDisconnect   frameType = 102
	frameAck               frameType = 103
)

const (
	flagFin   uint32 = 1
	flagAbort uint32 = 2
)

// prefix is the four bytes of length in front of each frame. They do not count into the frame size.
const prefix = 4

// minFrameSize is the smallest limit the specification lets a peer ask for.
const minFrameSize = 256

// frame is one decoded frame. The payload shares the memory of the buffer it was read into.
type frame struct {
	typ      frameType
	flags    uint32
	streamID uint64
	frameID  uint64
	payload  []byte
}

// decodeFrame reads the header of a frame whose length prefix has been removed.
func decodeFrame(b []byte) (frame, error) {
	if len(b) < 7 {
		return frame{}, ErrShort
	}
	f := frame{typ: frameType(b[0]), flags: binary.BigEndian.Uint32(b[1:5])}
	var err error
	if f.streamID, b, err = uvarint(b[5:]); err != nil {
		return frame{}, err
	}
	if f.frameID, b, err = uvarint(b); err != nil {
		return frame{}, err
	}
	f.payload = b
	return f, nil
}

// appendFrame encodes a frame with its length prefix. All our frames are whole.
func appendFrame(b []byte, typ frameType, streamID, frameID uint64, payload []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(typ))
	b = binary.BigEndian.AppendUint32(b, flagFin)
	b = appendUvarint(b, streamID)
	b = appendUvarint(b, frameID)
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-prefix))
	return b
}

// maxPairs bounds the key-value list of HELLO and DISCONNECT; the specification knows five keys.
const maxPairs = 64

func decodePairs(b []byte) (map[string]Value, error) {
	pairs := make(map[string]Value, 6)
	for len(b) > 0 {
		if len(pairs) == maxPairs {
			return nil, ErrTooMany
		}
		var key []byte
		var err error
		if key, b, err = chunk(b); err != nil {
			return nil, err
		}
		var v Value
		if v, b, err = typed(b); err != nil {
			return nil, err
		}
		pairs[string(key)] = v
	}
	return pairs, nil
}

func appendPair(b []byte, key string, v Value) []byte {
	return appendTyped(appendString(b, key), v)
}
