package waf

import (
	"bytes"
	"net/netip"
	"strings"
	"time"
)

// Request is what HAProxy tells of a request. Byte slices are only read until the evaluation returns.
type Request struct {
	Application string
	ID          string
	Source      netip.Addr
	SourcePort  int
	Dest        netip.Addr
	DestPort    int
	Method      string
	// URI is the path, and the query behind a question mark.
	URI string
	// Version as HAProxy's req.ver has it (`1.1`), or with `HTTP/` in front.
	Version string
	Headers []Header
	Body    []byte
	// Arrived is when waiting began.
	Arrived time.Time
}

// Header is one line of the request's head.
type Header struct{ Name, Value string }

// ParseHeaders reads HAProxy's req.hdrs: lines ended by CRLF, and an empty one at the end. A line without a
// colon cannot come from HAProxy's parser; it is kept as a name without a value, so that rules see it.
func ParseHeaders(b []byte) []Header {
	headers := make([]Header, 0, bytes.Count(b, []byte{'\n'})+1)
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) == 0 {
			continue
		}
		name, value, _ := strings.Cut(string(line), ":")
		headers = append(headers, Header{Name: strings.TrimRight(name, " \t"), Value: strings.Trim(value, " \t")})
	}
	return headers
}

// protocol maps HAProxy's req.ver to the form rules compare with.
func protocol(version string) string {
	switch {
	case version == "":
		return "HTTP/1.1"
	case strings.HasPrefix(version, "HTTP/"):
		return version
	default:
		return "HTTP/" + version
	}
}

// host is the value of the first Host header.
func (r *Request) host() string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, "host") {
			return h.Value
		}
	}
	return ""
}

// serverName removes the port of a Host header; brackets of an IPv6 address stay.
func serverName(host string) string {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[i:], ']') >= 0 {
		return host
	}
	return host[:i]
}

// Faults: why there is no verdict.
const (
	FaultUnknownApplication = "unknown-application"
	FaultPanic              = "panic"
	FaultOverload           = "overload"
	FaultBadMessage         = "bad-message"
	FaultUnsupported        = "unsupported"
	// FaultInternal is an error of the engine that is no panic, as a full disk for a large body.
	FaultInternal = "internal"
)

// Verdict is the outcome of an evaluation.
type Verdict struct {
	// Fault is empty when the request was judged.
	Fault string
	// Action is allow, deny, drop or redirect.
	Action string
	// Status is what the rule wants to be answered; 0 with allow.
	Status int
	RuleID int
	// Data is the target of a redirect.
	Data string
	// Score is tx.blocking_inbound_anomaly_score.
	Score int
	// Rules are the ids of matched detection rules, in the order of their match.
	Rules []int
	// Detected is what would have been done, had the rules not only detected; nil for nothing.
	Detected *Detected
	// Withhold asks for no answer at all (tests only).
	Withhold bool
}
