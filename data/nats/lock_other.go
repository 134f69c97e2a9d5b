//go:build !linux && !darwin

package nats

// lockFolder does nothing where folders cannot be locked: a second server on a
// folder goes unnoticed unless it asks for the same port.
func lockFolder(string) (unlock func() error, err error) {
	return func() error { return nil }, nil
}
