package specs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// userModule is the module file of an author who has none.
func userModule() []byte {
	return []byte("module: \"penstock.local/graphs@v0\"\nlanguage: version: \"v0.17.0\"\n")
}

// vendorDir is where a module keeps its copy of the schema.
func vendorDir(root string) string {
	return filepath.Join(root, "cue.mod", "pkg", filepath.FromSlash(ImportPath))
}

// Vendor writes the schema into dir/cue.mod/pkg, where cue vet and editors find
// it, and dir/cue.mod/module.cue if there is none. It replaces an older copy.
func Vendor(dir string) error {
	folder := vendorDir(dir)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("vendor the schema: %w", err)
	}
	for _, extra := range strayFiles(folder) {
		if err := os.Remove(extra); err != nil {
			return fmt.Errorf("vendor the schema: %w", err)
		}
	}
	for _, name := range schemaNames() {
		if err := os.WriteFile(filepath.Join(folder, name), schemaText(name), 0o644); err != nil {
			return fmt.Errorf("vendor the schema: %w", err)
		}
	}
	module := filepath.Join(dir, "cue.mod", "module.cue")
	if _, err := os.Stat(module); err == nil {
		return nil
	}
	if err := os.WriteFile(module, userModule(), 0o644); err != nil {
		return fmt.Errorf("vendor the schema: %w", err)
	}
	return nil
}

// strayFiles lists the CUE files in a vendored copy that the schema does not
// have: leftovers of another version.
func strayFiles(folder string) []string {
	files, err := filepath.Glob(filepath.Join(globEscape(folder), "*.cue"))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(files, func(file string) bool {
		return slices.Contains(schemaNames(), filepath.Base(file))
	})
}

// vendoredWarning warns when the copy beside the graph is not the schema the
// graph was checked against.
func (s *source) vendoredWarning() Diagnostics {
	folder := vendorDir(s.root())
	if _, err := os.Stat(folder); err != nil {
		return nil
	}
	differs := len(strayFiles(folder)) > 0
	for _, name := range schemaNames() {
		b, err := os.ReadFile(filepath.Join(folder, name))
		differs = differs || err != nil || !bytes.Equal(b, schemaText(name))
	}
	if !differs {
		return nil
	}
	shown := folder
	if rel, err := filepath.Rel(s.dir, folder); err == nil {
		shown = filepath.Join(s.shown, rel)
	}
	return Diagnostics{At(Position{File: shown}, "", CodeVendored,
		"the vendored schema differs from the one in this program, which was used", "write it anew with penstock init")}
}
