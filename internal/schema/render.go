package schema

import "fmt"

// Render writes the statements that make the schema, runnable in order, and
// says what of it they leave out or change. What MongoDB runs are command
// documents in Extended JSON.
func (s Schema) Render(to Dialect) (steps []Step, warnings []string, err error) {
	switch to {
	case PostgreSQL, MySQL:
		if len(s.Tables) == 0 {
			s.Tables, warnings = tablesOf(s.Collections)
		}
		w := &sqlWriter{schema: s, dialect: to, warnings: warnings}
		w.write()
		steps, warnings = w.steps, w.warnings
	case MongoDB:
		if len(s.Collections) == 0 {
			s.Collections, warnings = s.collectionsOf()
		}
		w := documentWriter{warnings: warnings}
		for _, c := range s.Collections {
			w.write(c)
		}
		steps, warnings = w.steps, w.warnings
	default:
		return nil, nil, fmt.Errorf("there are no schemas for %s", to)
	}
	if len(steps) == 0 {
		return nil, nil, &FieldError{Problem: "the schema has neither tables nor collections"}
	}
	if len(steps) > mostSteps {
		return nil, nil, &FieldError{Problem: fmt.Sprintf("the schema takes %d statements; %d are the most", len(steps), mostSteps)}
	}
	return steps, warnings, nil
}
