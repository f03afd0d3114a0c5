package config_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guard-proxy/guard-proxy/spoa/config"
)

const full = `bind: unix:///run/gp/spoa.sock
log_level: warn
log_file: /dev/stdout
log_format: json
default_application: app
applications:
  - name: app
    directives: |
      SecRuleEngine On
      Include @owasp_crs/*.conf
    response_check: false
    transaction_ttl_ms: 60000
    log_level: info
    log_file: /dev/stdout
    log_format: console
`

func TestParse(t *testing.T) {
	cfg, err := config.Parse([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	defs := cfg.Definitions()
	if len(defs) != 1 || defs[0].Name != "app" || defs[0].Directives != "SecRuleEngine On\nInclude @owasp_crs/*.conf\n" {
		t.Errorf("%q", defs)
	}
	if cfg.Level() != slog.LevelWarn || len(cfg.Warnings()) != 0 {
		t.Errorf("%v %v", cfg.Level(), cfg.Warnings())
	}
	for _, none := range []string{"bind: 127.0.0.1:9000\nlog_format: json\n", "bind: 127.0.0.1:9000\nlog_format: json\napplications: []\n"} {
		if cfg, err := config.Parse([]byte(none)); err != nil || len(cfg.Applications) != 0 {
			t.Errorf("without applications: %v", err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown key":               {"log_level: warn", "log_lvl: warn", "log_lvl"},
		"unknown application key":   {"response_check: false", "respons: false", "respons"},
		"repeated key":              {"log_level: warn", "bind: 127.0.0.1:1", "bind"},
		"no bind":                   {"bind: unix:///run/gp/spoa.sock\n", "", "bind"},
		"no format":                 {"log_format: json\n", "", "unknown log format"},
		"no format of application":  {"    log_format: console\n", "", `application "app"`},
		"unknown level":             {"log_level: warn", "log_level: loud", "loud"},
		"unknown default":           {"default_application: app", "default_application: other", "other"},
		"bad name":                  {"name: app", "name: a b", "a b"},
		"wrong type":                {"response_check: false", "response_check: maybe", "response_check"},
		"same name twice":           {"applications:\n", "applications:\n  - {name: app, log_format: json}\n", "two applications"},
		"negative time to live":     {"transaction_ttl_ms: 60000", "transaction_ttl_ms: -1", "negative"},
		"a list instead of a value": {"log_level: warn", "log_level: [warn]", "log_level"},
	} {
		text := strings.Replace(full, c.from, c.to, 1)
		if text == full {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := config.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := config.Parse(nil); err == nil {
		t.Error("an empty file was accepted")
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if _, err := config.Load(path); err == nil {
		t.Error("a missing file was loaded")
	}
	text := strings.Replace(full, "response_check: false", "response_check: true", 1)
	text = strings.Replace(text, "log_file: /dev/stdout", "log_file: /var/log/x", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil || len(cfg.Warnings()) != 2 {
		t.Errorf("%v %v", cfg, err)
	}
}
