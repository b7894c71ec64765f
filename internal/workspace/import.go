package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/schema"
)

// importTimeout bounds the time that an import keeps others from changing the
// workspace.
const importTimeout = 5 * time.Minute

// Importer is an Engine that runs the statements of an import.
type Importer interface {
	// Import runs the steps one after the other as the workspace's role, in a
	// session of its own. One that fails has no effect and does not stop those
	// behind it. What took effect is one unit of Changes, whose source is
	// import. There is an outcome for each step; an error means that nothing
	// ran, or that nothing of it is known to have stayed.
	Import(ctx context.Context, t Target, steps []schema.Step, limits Limits) ([]Outcome, error)
}

// Outcome is what became of one step of an import.
type Outcome struct {
	// Err is an *Error with the server's words; nil: it took effect. It is
	// ErrExists where what the step makes was there before.
	Err     error
	Warning string // what of the step the server does not have; empty: nothing
}

// The sources of an import.
const (
	fromTemplate = "template"
	fromJSON     = "json"
	fromDatabase = "database"
	fromURL      = "url"
)

// ImportSources are the sources that a request may name.
func ImportSources() []string { return []string{fromJSON, fromDatabase, fromTemplate, fromURL} }

// ImportRequest is a schema to import. Source decides which of the others is
// needed; JSON values are as they were sent.
type ImportRequest struct {
	Source      string
	Template    string
	Tables      json.RawMessage
	Collections json.RawMessage
	Patterns    json.RawMessage
	Connection  *SourceLogin
	URL         string
}

// Imported says what an import did.
type Imported struct {
	Workspace Workspace
	Source    string
	Created   []string // tables, collections or patterns, and what else is on its own
	Skipped   []string // those that were there before
	Failed    []FailedStep
	Warnings  []string // what of the schema could not be carried over

	Executed, Left int // statements that took effect, and that were skipped
}

// FailedStep is a statement that the server refused.
type FailedStep struct {
	Object    string
	Statement string
	Err       error
}

// plan is what an import would run on an empty workspace.
type plan struct {
	steps    []schema.Step
	patterns []schema.Pattern
	warnings []string
	literal  bool // the steps are a server's own definitions, of the same type
}

// ImportSchema runs a schema's statements in the workspace, with its limits and
// as its role, and records them as one version before it answers. What is there
// already is skipped, and what fails is in the answer beside what did not. A
// request that can't be carried out at all is a BadRequest that names the field.
func (s *Service) ImportSchema(ctx context.Context, p Principal, id string, r ImportRequest) (Imported, error) {
	if err := p.mayWrite(); err != nil {
		return Imported{}, err
	}
	h, w, err := s.find(p, id)
	if err != nil {
		return Imported{}, err
	}
	made, err := s.plan(ctx, w.Type, r)
	if err != nil {
		return Imported{}, err
	}
	// A client that goes away does not leave half of a schema behind.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), importTimeout)
	defer cancel()
	h.changing.Lock()
	defer h.changing.Unlock()
	if now := s.directory.current(h); now.State != Ready {
		return Imported{}, notFound(id)
	}
	result := Imported{Source: r.Source, Warnings: made.warnings}
	if w.Type == Redis {
		err = s.importPatterns(ctx, h, made, &result)
	} else {
		err = s.importSteps(ctx, h, made, &result)
	}
	result.Workspace = s.directory.current(h)
	return result, err
}

// importSteps runs what is not there yet; changing is held.
func (s *Service) importSteps(ctx context.Context, h *held, made plan, result *Imported) error {
	engine, ok := h.server.engine.(Importer)
	if !ok {
		return Errorf(BadRequest, "a %s workspace takes no schema", h.live.Type.DisplayName())
	}
	run, err := s.missing(ctx, h, made, result)
	if err != nil || len(run) == 0 {
		return err
	}
	if !h.live.Enter() {
		return full(h.live)
	}
	defer h.live.Leave()
	outcomes, err := engine.Import(ctx, h.target, run, limitsOf(h.live))
	recordErr := s.Record(context.WithoutCancel(ctx), h.live.ID)
	if err != nil {
		return fmt.Errorf("import schema: %w", err)
	}
	for i, step := range run {
		outcomes[i].Err = s.toldOfStep(h, outcomes[i].Err)
		result.add(step, outcomes[i])
	}
	if shown, ok := h.server.engine.(Shown); ok {
		for i := range result.Failed {
			result.Failed[i].Statement = shown.Show(result.Failed[i].Statement)
		}
	}
	if recordErr != nil {
		return &Error{
			Code:    Unavailable,
			Message: "the import took effect, and what it changed in the schema will be recorded later: " + told(recordErr),
			cause:   recordErr,
		}
	}
	return nil
}

// toldOfStep is what of a step's failure a client may know; the rest is logged.
func (s *Service) toldOfStep(h *held, err error) error {
	if e, ok := errors.AsType[*Error](err); err == nil || errors.Is(err, ErrExists) || ok && e.Code == BadRequest {
		return err
	}
	s.log.Warn("statement of an import can't be run", "workspace", h.live.ID, "error", Causes(err))
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Errorf(Internal, "the statement could not be run")
}

// missing are the steps of what is not there, the others are noted as skipped.
func (s *Service) missing(ctx context.Context, h *held, made plan, result *Imported) ([]schema.Step, error) {
	tables, err := h.server.engine.Tables(ctx, h.target)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	there := map[string]bool{}
	for _, t := range tables {
		there[t.Name] = true
	}
	defined := map[string]bool{}
	if made.literal {
		statements, err := h.server.engine.Definitions(ctx, h.targetNow())
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		for _, text := range statements {
			defined[text] = true
		}
	}
	var run []schema.Step
	for _, step := range made.steps {
		if there[step.Table] || defined[step.Statement] {
			result.skip(step)
			continue
		}
		run = append(run, step)
	}
	return run, nil
}

func (r *Imported) skip(step schema.Step) {
	r.Left++
	if own := step.Own(); own != "" && !slices.Contains(r.Skipped, own) {
		r.Skipped = append(r.Skipped, own)
	}
}

// add notes what became of a step.
func (r *Imported) add(step schema.Step, o Outcome) {
	if o.Warning != "" {
		r.Warnings = append(r.Warnings, o.Warning)
	}
	switch own := step.Own(); {
	case errors.Is(o.Err, ErrExists):
		r.skip(step)
	case o.Err != nil:
		r.Failed = append(r.Failed, FailedStep{step.Object, step.Statement, o.Err})
	default:
		r.Executed++
		if own != "" && !slices.Contains(r.Created, own) {
			r.Created = append(r.Created, own)
		}
	}
}

// importPatterns puts those that are new beside the workspace's own; changing is
// held.
func (s *Service) importPatterns(ctx context.Context, h *held, made plan, result *Imported) error {
	w := s.directory.current(h)
	changed := w.Settings
	changed.Patterns = map[string]Pattern{}
	for match, rule := range w.Settings.Patterns {
		changed.Patterns[match] = rule
	}
	for _, p := range made.patterns {
		if p.Match == "" || len(p.Match) > maxPatternLength {
			return badField("patterns", "the pattern %.60q must have 1 to %d bytes", p.Match, maxPatternLength)
		}
		if p.TTL > maxTTL {
			return badField("patterns", "the ttl of the pattern %.60q can't be more than %d", p.Match, maxTTL)
		}
		if _, there := changed.Patterns[p.Match]; there {
			result.Skipped = append(result.Skipped, p.Match)
			result.Left++
			continue
		}
		changed.Patterns[p.Match] = Pattern{TTL: p.TTL}
		result.Created = append(result.Created, p.Match)
		result.Executed++
	}
	if len(changed.Patterns) > maxPatterns {
		return badField("patterns", "the workspace would have %d patterns; it can't have more than %d", len(changed.Patterns), maxPatterns)
	}
	if result.Executed == 0 {
		return nil
	}
	return s.setSettings(ctx, h, changed)
}

// plan reads the schema that a request names.
func (s *Service) plan(ctx context.Context, to DatabaseType, r ImportRequest) (plan, error) {
	if err := r.check(to); err != nil {
		return plan{}, err
	}
	switch r.Source {
	case fromTemplate:
		return planOfTemplate(to, r.Template)
	case fromJSON:
		document, err := json.Marshal(struct {
			Tables      json.RawMessage `json:"tables,omitempty"`
			Collections json.RawMessage `json:"collections,omitempty"`
			Patterns    json.RawMessage `json:"patterns,omitempty"`
		}{r.Tables, r.Collections, r.Patterns})
		if err != nil {
			return plan{}, badField(fieldOf(to), "malformed JSON")
		}
		return planOfDocument(to, document, "")
	case fromURL:
		document, err := s.documents.Download(ctx, r.URL)
		if err != nil {
			return plan{}, badField("url", "the schema can't be fetched: %v", err)
		}
		return planOfDocument(to, document, "the document at the url: ")
	}
	return s.planOfDatabase(ctx, to, *r.Connection)
}

// fieldOf is the field of the JSON source that a type takes.
func fieldOf(t DatabaseType) string {
	switch t {
	case MongoDB:
		return "collections"
	case Redis:
		return "patterns"
	}
	return "tables"
}

// check holds the request's fields to its source.
func (r ImportRequest) check(to DatabaseType) error {
	given := map[string]bool{
		"template": r.Template != "", "tables": len(r.Tables) > 0, "collections": len(r.Collections) > 0,
		"patterns": len(r.Patterns) > 0, "connection": r.Connection != nil, "url": r.URL != "",
	}
	var wanted string
	switch r.Source {
	case fromTemplate, fromURL:
		wanted = r.Source
	case fromJSON:
		wanted = fieldOf(to)
	case fromDatabase:
		wanted = "connection"
	default:
		return badField("source", "unknown source %.40q: choose %s", r.Source, strings.Join(ImportSources(), ", "))
	}
	for _, field := range []string{"template", "tables", "collections", "patterns", "connection", "url"} {
		if !given[field] || field == wanted {
			continue
		}
		if r.Source == fromJSON && slices.Contains([]string{"tables", "collections", "patterns"}, field) {
			return badField(field, "field %q does not fit: a %s workspace takes %q", field, to.DisplayName(), wanted)
		}
		return badField(field, "field %q does not go with the source %q, which takes %q", field, r.Source, wanted)
	}
	if !given[wanted] {
		if wanted == fromTemplate {
			return badField(wanted, "missing field %q: choose %s", wanted, strings.Join(schema.Templates(), ", "))
		}
		return badField(wanted, "missing field %q: the source %q needs it on a %s workspace", wanted, r.Source, to.DisplayName())
	}
	return nil
}

func planOfTemplate(to DatabaseType, name string) (plan, error) {
	found, known, err := schema.Template(name)
	if err != nil {
		return plan{}, err
	}
	if !known {
		return plan{}, badField("template", "unknown template %.40q: choose %s", name, strings.Join(schema.Templates(), ", "))
	}
	return planOf(to, found, nil, "")
}

func planOfDocument(to DatabaseType, document []byte, where string) (plan, error) {
	found, err := schema.Read(document)
	if err != nil {
		return plan{}, badSchema(err, where)
	}
	return planOf(to, found, nil, where)
}

// planOf renders a schema for a type.
func planOf(to DatabaseType, found schema.Schema, warnings []string, where string) (plan, error) {
	if to == Redis {
		if len(found.Patterns) == 0 {
			return plan{}, badField("patterns", "%sa Redis workspace takes \"patterns\", and there are none", where)
		}
		return plan{patterns: found.Patterns}, nil
	}
	steps, more, err := found.Render(schema.Dialect(to))
	if err != nil {
		return plan{}, badSchema(err, where)
	}
	return plan{steps: steps, warnings: append(warnings, more...)}, nil
}

// badSchema tells what is wrong in a schema's JSON.
func badSchema(err error, where string) error {
	fault, ok := errors.AsType[*schema.FieldError](err)
	if !ok {
		return fmt.Errorf("write schema: %w", err)
	}
	return badField(fault.Field, "%s%s", where, fault.Error())
}
