package waf

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"

	"github.com/guard-proxy/guard-proxy/spoa/internal/waftest"
)

func TestLogSeen(t *testing.T) {
	var out bytes.Buffer
	e := newTestEngine(t, Limits{}, nil)
	e.log = slog.New(slog.NewJSONHandler(&out, nil))
	put(t, e, "app", waftest.Tiny("evil", 100))
	req := get("app", "seen-1", "/a?b=\xff")
	req.Headers = []Header{{"Host", "h"}, {"X-Raw", "\xff\""}}
	req.Body = []byte("abc")

	e.Evaluate(context.Background(), req)
	if out.Len() > 0 {
		t.Fatalf("unasked: %s", out.String())
	}
	e.SetFaults(Faults{LogSeen: true})
	e.Evaluate(context.Background(), req)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %q", err, out.String())
	}
	delete(got, "time")
	delete(got, "level")
	want := map[string]any{
		"msg": "request seen", "id": "seen-1", "method": "GET", "uri": "2f613f623dff",
		"headers": []any{"486f73743a68", "582d5261773aff22"}, "body_bytes": 3.0,
		"body_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
