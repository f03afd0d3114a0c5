package listen_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/guard-proxy/guard-proxy/spoa/listen"
)

func TestParse(t *testing.T) {
	for in, want := range map[string][2]string{
		"unix:///run/a.sock": {"unix", "/run/a.sock"},
		"unix:/run/a.sock":   {"unix", "/run/a.sock"},
		"unix@/run/a.sock":   {"unix", "/run/a.sock"},
		"/run/a.sock":        {"unix", "/run/a.sock"},
		"127.0.0.1:9000":     {"tcp", "127.0.0.1:9000"},
		"localhost:9000":     {"tcp", "localhost:9000"},
		"tcp://[::1]:9000":   {"tcp", "[::1]:9000"},
		":9000":              {"tcp", ":9000"},
	} {
		network, address, err := listen.Parse(in)
		if err != nil || network != want[0] || address != want[1] {
			t.Errorf("%s: %s %s %v", in, network, address, err)
		}
	}
	for _, in := range []string{"", "unix://", "unix@relative", "127.0.0.1", "unix:a"} {
		if _, _, err := listen.Parse(in); err == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

func TestUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := listen.Unix(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := listen.Unix(path, 0o600); !errors.Is(err, listen.ErrInUse) {
		t.Errorf("a socket in use was taken: %v", err)
	}
	// As after kill -9: the file stays, nobody answers.
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = first.Close()
	second, err := listen.Open("unix@"+path, 0o660)
	if err != nil {
		t.Fatal(err)
	}
	_ = second.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("the socket was left behind")
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen.Unix(path, 0o600); err == nil {
		t.Error("a file was replaced by a socket")
	}
	if _, err := listen.Unix(filepath.Join(t.TempDir(), "none", "s"), 0o600); err == nil {
		t.Error("a folder was created")
	}
}
