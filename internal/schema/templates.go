package schema

import (
	"embed"
	"fmt"
	"slices"
)

//go:embed templates
var templates embed.FS

// Templates are the names that Template knows.
func Templates() []string { return []string{"ecommerce", "saas", "blog", "fintech"} }

// Template is the schema of that name, in the JSON that any import is; false
// where there is none.
func Template(name string) (Schema, bool, error) {
	if !slices.Contains(Templates(), name) {
		return Schema{}, false, nil
	}
	text, err := templates.ReadFile("templates/" + name + ".json")
	if err != nil {
		return Schema{}, false, fmt.Errorf("template %s: %w", name, err)
	}
	s, err := Read(text)
	if err != nil {
		return Schema{}, false, fmt.Errorf("template %s: %w", name, err)
	}
	return s, true, nil
}
