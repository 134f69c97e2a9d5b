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
func (o Output) lock() (unlock func() error, err error) { return lockFolder(o.dir, syscall.LOCK_EX) }

// tryLock does the same to a folder for a Series, and fails with errLocked at once
// when another has it.
func tryLock(dir string) (unlock func() error, err error) {
	unlock, err = lockFolder(dir, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return unlock, err
}

func lockFolder(dir string, how int) (unlock func() error, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(d.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOLCK) { // some network folders cannot lock
		return nil, errors.Join(err, d.Close())
	}
	return d.Close, nil
}
