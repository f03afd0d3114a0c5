// Package listen opens the agent's sockets: TCP, or Unix sockets that only their owner may use.
package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrInUse means that a living process answers on the socket. Taking its place would split the traffic
// between two agents, so we refuse to start instead.
var ErrInUse = errors.New("another process answers on this socket")

// umaskMu serialises the moment in which the process-wide umask is changed.
var umaskMu sync.Mutex

// Parse splits a bind address into a network and an address.
//
// Accepted are `unix:///path`, `unix:/path`, `unix@/path`, a bare absolute path, `tcp://host:port` and
// `host:port`. Stock coraza-spoa reads `localhost:9000` as a URL with the scheme `localhost`; we do not.
func Parse(bind string) (network, address string, err error) {
	switch {
	case bind == "":
		return "", "", errors.New("empty bind address")
	case strings.HasPrefix(bind, "unix://"):
		network, address = "unix", strings.TrimPrefix(bind, "unix://")
	case strings.HasPrefix(bind, "unix:"):
		network, address = "unix", strings.TrimPrefix(bind, "unix:")
	case strings.HasPrefix(bind, "unix@"):
		network, address = "unix", strings.TrimPrefix(bind, "unix@")
	case strings.HasPrefix(bind, "/"):
		network, address = "unix", bind
	case strings.HasPrefix(bind, "tcp://"):
		network, address = "tcp", strings.TrimPrefix(bind, "tcp://")
	default:
		network, address = "tcp", bind
	}
	if network == "unix" && !strings.HasPrefix(address, "/") {
		return "", "", fmt.Errorf("unix socket path %q is not absolute", address)
	}
	if network == "tcp" {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return "", "", fmt.Errorf("bind address %q: %w", bind, err)
		}
	}
	return network, address, nil
}

// Open listens on a bind address in any of Parse's forms.
func Open(bind string, mode fs.FileMode) (net.Listener, error) {
	network, address, err := Parse(bind)
	if err != nil {
		return nil, err
	}
	if network == "unix" {
		return Unix(address, mode)
	}
	return net.Listen(network, address)
}

// Unix listens on a Unix socket with the given mode. The folder must exist: who creates it decides who may
// enter it. A socket file left by a killed process is removed, one that is answered on is not.
func Unix(path string, mode fs.FileMode) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	umaskMu.Lock()
	// Between bind and chmod anybody could connect; the umask closes that gap.
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	umaskMu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("%s: %w", path, ErrInUse)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		// A full backlog (EAGAIN) or a lack of permission is no proof of death.
		return fmt.Errorf("%s: cannot tell whether it is stale: %w", path, err)
	}
	return os.Remove(path)
}
