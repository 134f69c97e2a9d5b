package worker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
)

// Build identifies a program. The processes of a run must be of one build: records,
// and what nodes keep of them, are encoded by it.
type Build struct {
	Version  string `json:"version"`
	Platform string `json:"platform"`
	Sum      string `json:"sum"` // SHA-256 of the program's file, empty if it is not to be read
}

// ThisBuild is that of this process, whose version the caller knows.
func ThisBuild(version string) Build {
	return Build{version, runtime.GOOS + "/" + runtime.GOARCH, sum()}
}

var sum = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
})

// Accepts reports whether a process of another build may submit work to this one: the
// same file on one platform, the same version on different ones.
func (b Build) Accepts(other Build) bool {
	if b.Platform == other.Platform {
		return b.Sum == other.Sum
	}
	return b.Version == other.Version
}

func (b Build) String() string { return fmt.Sprintf("%s %s %.8s", b.Version, b.Platform, b.Sum) }
