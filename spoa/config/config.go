// Package config reads the configuration file of stock coraza-spoa, strictly.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/guard-proxy/guard-proxy/spoa/listen"
	"github.com/guard-proxy/guard-proxy/spoa/waf"
)

// Config is the file. Every key of stock 0.7 is accepted; what has no effect here is noted.
type Config struct {
	Bind string `yaml:"bind"`
	// LogLevel of the operational log.
	LogLevel string `yaml:"log_level"`
	// LogFile has no effect: logs go to stderr, events to -event-log.
	LogFile string `yaml:"log_file"`
	// LogFormat is required as in stock and has no effect: our logs are JSON.
	LogFormat          string        `yaml:"log_format"`
	DefaultApplication string        `yaml:"default_application"`
	Applications       []Application `yaml:"applications"`
}

// Application is one rule set.
type Application struct {
	Name       string `yaml:"name"`
	Directives string `yaml:"directives"`
	// ResponseCheck is not implemented yet: coraza-res is answered with a fault.
	ResponseCheck    bool   `yaml:"response_check"`
	TransactionTTLMS int    `yaml:"transaction_ttl_ms"`
	LogLevel         string `yaml:"log_level"`
	LogFile          string `yaml:"log_file"`
	LogFormat        string `yaml:"log_format"`
}

// maxFile bounds the file in bytes: 300 applications of 100 KB fit twice.
const maxFile = 64 << 20

// Load reads and validates a file.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return Parse(b)
}

// Parse reads and validates YAML. Unknown and repeated keys are errors.
func Parse(b []byte) (*Config, error) {
	cfg := &Config{}
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(cfg); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the configuration is empty")
		}
		return nil, errors.New(yaml.FormatError(err, false, true))
	}
	return cfg, cfg.validate()
}

var (
	levels  = []string{"", "debug", "info", "warn", "error", "panic", "fatal"}
	formats = []string{"json", "console"}
)

func (c *Config) validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, _, err := listen.Parse(c.Bind); err != nil {
		fail("bind: %w", err)
	}
	if !slices.Contains(levels, c.LogLevel) {
		fail("log_level: unknown level %q", c.LogLevel)
	}
	if !slices.Contains(formats, c.LogFormat) {
		fail("log_format: unknown log format: %q", c.LogFormat)
	}
	seen := map[string]bool{}
	for i, a := range c.Applications {
		at := fmt.Sprintf("application %q", a.Name)
		if !waf.ValidName(a.Name) {
			fail("%s (number %d): a name has 1 to 128 letters, digits, dots, underscores and hyphens", at, i+1)
		}
		if seen[a.Name] {
			fail("%s: there are two applications of this name", at)
		}
		seen[a.Name] = true
		if !slices.Contains(levels, a.LogLevel) {
			fail("%s: log_level: unknown level %q", at, a.LogLevel)
		}
		if !slices.Contains(formats, a.LogFormat) {
			fail("%s: log_format: unknown log format: %q", at, a.LogFormat)
		}
		if a.TransactionTTLMS < 0 {
			fail("%s: transaction_ttl_ms is negative", at)
		}
	}
	if c.DefaultApplication != "" && !seen[c.DefaultApplication] {
		fail("default_application: there is no application %q", c.DefaultApplication)
	}
	return errors.Join(errs...)
}

// Definitions are the applications for the registry.
func (c *Config) Definitions() []waf.Definition {
	defs := make([]waf.Definition, len(c.Applications))
	for i, a := range c.Applications {
		defs[i] = waf.Definition{Name: a.Name, Directives: a.Directives}
	}
	return defs
}

// Warnings are settings of stock that have no effect here.
func (c *Config) Warnings() []string {
	var out []string
	for _, a := range c.Applications {
		if a.ResponseCheck {
			out = append(out, fmt.Sprintf("application %q: response_check is not supported, coraza-res is answered with a fault", a.Name))
		}
	}
	for _, file := range append([]string{c.LogFile}, appFiles(c.Applications)...) {
		if file != "" && !strings.HasPrefix(file, "/dev/") {
			out = append(out, fmt.Sprintf("log_file %s has no effect, see -event-log", file))
		}
	}
	return out
}

func appFiles(apps []Application) []string {
	files := make([]string, len(apps))
	for i, a := range apps {
		files[i] = a.LogFile
	}
	return files
}

// Level is the level of the operational log.
func (c *Config) Level() slog.Level {
	switch c.LogLevel {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error", "panic", "fatal":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
