//go:build linux || darwin

package commit

import (
	"errors"
	"os"
	"syscall"
)

// lock keeps other processes, and other commits of this one, from placing files
// in the output's folder until unlock is called. It is a lock on the folder
// itself: nothing is left behind, and the kernel frees it when a process dies.
func (o Output) lock() (unlock func() error, err error) {
	d, err := os.Open(o.dir)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOLCK) { // some network folders cannot lock
		return nil, errors.Join(err, d.Close())
	}
	return d.Close, nil
}
