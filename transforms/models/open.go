package models

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options of a model; the zero value is right for most. A model that is open already
// keeps the options of its first opener.
type Options struct {
	// BatchTokens is how many tokens, padding included, the shared batcher runs
	// together; 0 chooses by the size of the model.
	BatchTokens int
	// MaxWait bounds how long a lone sequence waits for company; 0 means 20 ms.
	MaxWait time.Duration
	// Precision of matrix products, Single if empty.
	Precision Precision
}

// LM is an open language model. Its methods are safe for concurrent use.
type LM struct {
	*model
	once sync.Once
	key  string
}

//go:embed pocket/config.json pocket/tokenizer.json pocket/model.safetensors
var embedded embed.FS

// shared holds the open models of the process by canonical reference.
var shared = struct {
	sync.Mutex
	models map[string]*sharedModel
}{models: map[string]*sharedModel{}}

type sharedModel struct {
	users  int
	loaded chan struct{} // closed when model or err is set
	model  closer
	err    error
}

// closer is a model that can be freed.
type closer interface{ close() }

// share returns the model of a key, which load makes if it is not there yet. Each
// call that succeeds is paired with one of release.
func share[M closer](ctx context.Context, key string, load func() (M, error)) (model M, err error) {
	shared.Lock()
	entry, ok := shared.models[key]
	if !ok {
		entry = &sharedModel{loaded: make(chan struct{})}
		shared.models[key] = entry
	}
	entry.users++
	shared.Unlock()

	if !ok {
		if made, err := load(); err == nil {
			entry.model = made
		} else {
			entry.err = err
		}
		close(entry.loaded)
	}
	select {
	case <-entry.loaded:
	case <-ctx.Done():
		release(key)
		return model, ctx.Err()
	}
	if entry.err != nil {
		release(key)
		return model, entry.err
	}
	return entry.model.(M), nil
}

// Open opens the model a reference names (see the package comment). A model that is
// not there, does not fit its configuration or is of an unknown architecture gives an
// error of one line.
func Open(ctx context.Context, ref string, opts Options) (*LM, error) {
	key, open, err := resolve(ref)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", ref, err)
	}
	key = strings.TrimSpace(key + " " + string(opts.Precision))
	m, err := share(ctx, key, func() (*model, error) { return load(open, opts) })
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", ref, err)
	}
	return &LM{model: m, key: key}, nil
}

// Close releases the model; the last user's Close frees it. Closing twice is harmless.
// Calls still running on the model must have returned.
func (lm *LM) Close() error {
	lm.once.Do(func() { release(lm.key) })
	return nil
}

// release drops one user. Whoever is last waits for a load still under way, so that a
// model is never freed while it is being made.
func release(key string) {
	shared.Lock()
	entry := shared.models[key]
	entry.users--
	last := entry.users == 0
	if last {
		delete(shared.models, key)
	}
	shared.Unlock()
	if !last {
		return
	}
	<-entry.loaded
	if entry.model != nil {
		entry.model.close()
	}
}

// Find reports, without opening anything, why a reference leads to no model.
func Find(ref string) error {
	_, _, err := resolve(ref)
	return err
}

// resolve turns a reference into a canonical key and a way to open it.
func resolve(ref string) (key string, open func() (*source, error), err error) {
	switch ref {
	case "":
		return "", nil, fmt.Errorf("empty reference (a folder, a .gguf file, pocket or smollm2)")
	case "pocket":
		return ref, func() (*source, error) {
			folder, err := fs.Sub(embedded, "pocket")
			if err != nil {
				return nil, err
			}
			return openFolder(folder)
		}, nil
	case "smollm2":
		path, err := cachedGGUF(ref)
		if err != nil {
			return "", nil, err
		}
		return resolve(path)
	}
	path, err := filepath.Abs(ref)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", nil, fmt.Errorf("no such file or folder (or one of the names pocket, smollm2)")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", nil, err
	case info.IsDir():
		return path, func() (*source, error) { return openFolder(os.DirFS(path)) }, nil
	case strings.EqualFold(filepath.Ext(path), ".gguf"):
		return path, func() (*source, error) { return openGGUF(path) }, nil
	}
	return "", nil, fmt.Errorf("not a folder and not a .gguf file")
}

// cachedGGUF finds the .gguf file of a named model in the cache.
func cachedGGUF(name string) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "models", name)
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if strings.EqualFold(filepath.Ext(entry.Name()), ".gguf") {
			return filepath.Join(folder, entry.Name()), nil
		}
	}
	return "", fmt.Errorf("not in the cache (%s); `make model` fetches it, or use \"pocket\"", folder)
}

// cacheFolder holds what make targets fetch: $PENSTOCK_CACHE, else penstock in the
// user's cache.
func cacheFolder() (string, error) {
	if cache := os.Getenv("PENSTOCK_CACHE"); cache != "" {
		return cache, nil
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(user, "penstock"), nil
}
