package waf

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
)

// logSeen says what a request was to this agent, for tests that compare it with what an origin received. Bytes
// are in hex: no encoding of the log makes two of them look alike.
func logSeen(log *slog.Logger, req *Request) {
	headers := make([]string, len(req.Headers))
	for i, h := range req.Headers {
		headers[i] = hex.EncodeToString([]byte(h.Name + ":" + h.Value))
	}
	body := sha256.Sum256(req.Body)
	log.Info("request seen", "id", req.ID, "method", req.Method, "uri", hex.EncodeToString([]byte(req.URI)),
		"headers", headers, "body_bytes", len(req.Body), "body_sha256", hex.EncodeToString(body[:]))
}
