//go:build linux || darwin

package nats

import (
	"errors"
	"os"
	"syscall"
)

// lockFolder keeps a second server off a folder until unlock is called. The lock
// is on the folder itself; the kernel frees it when the process dies.
func lockFolder(folder string) (unlock func() error, err error) {
	d, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(errInUse(folder), d.Close())
	case err != nil && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOLCK): // some network folders cannot lock
		return nil, errors.Join(err, d.Close())
	}
	return d.Close, nil
}
