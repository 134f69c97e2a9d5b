package nats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// embedded is a server inside the process. All connections of the process to one
// folder share it.
type embedded struct {
	*server.Server
	folder string
	port   int // that was asked for
	users  int
	unlock func() error
}

// startWait is how long an embedded server may take to recover its streams.
const startWait = 30 * time.Second

var running = struct {
	mutex   sync.Mutex
	servers map[string]*embedded // by folder
}{servers: map[string]*embedded{}}

// startEmbedded starts the server that keeps its streams in a folder, or shares
// the one that runs. It listens on 127.0.0.1 alone.
func startEmbedded(folder string, port int) (*embedded, error) {
	running.mutex.Lock()
	defer running.mutex.Unlock()
	if e, ok := running.servers[folder]; ok {
		if port != 0 && port != e.port {
			return nil, fmt.Errorf("the embedded server has port %d already (give every node of the graph the same port)", e.port)
		}
		e.users++
		return e, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockFolder(folder)
	if err != nil {
		return nil, err
	}
	s, err := newServer(folder, port)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	e := &embedded{Server: s, folder: folder, port: port, users: 1, unlock: unlock}
	running.servers[folder] = e
	return e, nil
}

func newServer(folder string, port int) (*server.Server, error) {
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "penstock", Host: "127.0.0.1", Port: port,
		JetStream: true, StoreDir: folder,
		NoSigs: true,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded server: %w", err)
	}
	trouble := &complaints{}
	s.SetLoggerV2(trouble, false, false, false)
	go s.Start()
	for began := time.Now(); !s.ReadyForConnections(50 * time.Millisecond); {
		why := trouble.fatal.Load()
		if why == nil && time.Since(began) < startWait {
			continue
		}
		s.Shutdown()
		s.WaitForShutdown()
		if why == nil {
			return nil, fmt.Errorf("embedded server in %s was not ready after %v", folder, startWait)
		}
		return nil, fmt.Errorf("embedded server in %s: %s", folder, *why)
	}
	return s, nil
}

// complaints notes why a server cannot start, where nats-server would end the
// process, and drops the rest of its log.
type complaints struct{ fatal atomic.Pointer[string] }

func (c *complaints) Fatalf(format string, v ...any) {
	why := strings.ToLower(fmt.Sprintf(format, v...))
	c.fatal.CompareAndSwap(nil, &why)
}
func (c *complaints) Errorf(string, ...any)  {}
func (c *complaints) Noticef(string, ...any) {}
func (c *complaints) Warnf(string, ...any)   {}
func (c *complaints) Debugf(string, ...any)  {}
func (c *complaints) Tracef(string, ...any)  {}

// release stops the server when nobody uses it any more.
func (e *embedded) release() error {
	running.mutex.Lock()
	defer running.mutex.Unlock()
	if e.users--; e.users > 0 {
		return nil
	}
	delete(running.servers, e.folder)
	e.Shutdown()
	e.WaitForShutdown()
	return e.unlock()
}

// errInUse is why a folder cannot be locked.
func errInUse(folder string) error {
	return fmt.Errorf("another process runs the embedded server of %s (connect to it by its url, or choose another --work)", filepath.Clean(folder))
}
