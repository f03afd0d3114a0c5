package spop

import (
	"slices"
	"strings"
)

const (
	protocolVersion      = "2.0"
	capabilityPipelining = "pipelining"
)

// Status is a code of the specification, said in a DISCONNECT.
type Status uint32

// The codes we send. HAProxy shows them as 256 + n in its error variable.
const (
	StatusNormal         Status = 0
	StatusIO             Status = 1
	StatusTimeout        Status = 2
	StatusTooBig         Status = 3
	StatusInvalid        Status = 4
	StatusNoVersion      Status = 5
	StatusNoFrameSize    Status = 6
	StatusNoCapabilities Status = 7
	StatusBadVersion     Status = 8
	StatusBadFrameSize   Status = 9
	StatusFragmented     Status = 10
	StatusUnknown        Status = 99
)

func (s Status) message() string {
	switch s {
	case StatusNormal:
		return "normal"
	case StatusIO:
		return "I/O error"
	case StatusTimeout:
		return "a timeout occurred"
	case StatusTooBig:
		return "frame is too big"
	case StatusInvalid:
		return "invalid frame received"
	case StatusNoVersion:
		return "version value not found"
	case StatusNoFrameSize:
		return "max-frame-size value not found"
	case StatusNoCapabilities:
		return "capabilities value not found"
	case StatusBadVersion:
		return "unsupported version"
	case StatusBadFrameSize:
		return "max-frame-size too big or too small"
	case StatusFragmented:
		return "fragmentation not supported"
	default:
		return "unknown error"
	}
}

// session is what the HELLO exchange agreed on.
type session struct {
	maxFrame    uint32
	pipelining  bool
	healthCheck bool
}

// negotiate reads HAProxy's HELLO. The frame size is the smaller of both sides': HAProxy refuses an agent
// that answers more than it offered, and stock coraza-spoa refuses a HAProxy that offers more than it can.
func negotiate(payload []byte, ours uint32) (session, Status) {
	pairs, err := decodePairs(payload)
	if err != nil {
		return session{}, StatusInvalid
	}
	versions, ok := pairs["supported-versions"]
	if !ok || versions.Type != TypeString {
		return session{}, StatusNoVersion
	}
	if !slices.ContainsFunc(list(versions.String()), func(v string) bool { return strings.HasPrefix(v, "2.") }) {
		return session{}, StatusBadVersion
	}
	size, ok := pairs["max-frame-size"]
	if !ok || size.Type == TypeNull {
		return session{}, StatusNoFrameSize
	}
	if size.num < minFrameSize {
		return session{}, StatusBadFrameSize
	}
	capabilities, ok := pairs["capabilities"]
	if !ok || capabilities.Type != TypeString {
		return session{}, StatusNoCapabilities
	}
	return session{
		maxFrame:    uint32(min(size.num, uint64(ours))),
		pipelining:  slices.Contains(list(capabilities.String()), capabilityPipelining),
		healthCheck: pairs["healthcheck"].Bool(),
	}, StatusNormal
}

func (s session) hello() []byte {
	capabilities := ""
	if s.pipelining {
		capabilities = capabilityPipelining
	}
	b := appendPair(nil, "version", NewString(protocolVersion))
	b = appendPair(b, "max-frame-size", NewUint32(s.maxFrame))
	return appendPair(b, "capabilities", NewString(capabilities))
}

func disconnect(s Status) []byte {
	b := appendPair(nil, "status-code", NewUint32(uint32(s)))
	return appendPair(b, "message", NewString(s.message()))
}

func list(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
