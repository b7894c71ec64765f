package postgres

import "strings"

// finishColumn writes what CREATE TABLE has no place for, or not yet.
func (w *tableWriter) finishColumn(c attribute) {
	alter := "ALTER TABLE ONLY " + w.table.Name + " ALTER COLUMN " + c.Name + " "
	w.finishDefault(c, alter)
	w.finishNotNull(c, alter)
	if c.Storage != nil {
		w.then("%sSET STORAGE %s", alter, *c.Storage)
	}
	if c.Compress != nil {
		w.then("%sSET COMPRESSION %s", alter, *c.Compress)
	}
	if c.Statistics != nil {
		w.then("%sSET STATISTICS %d", alter, *c.Statistics)
	}
	if len(c.Options) > 0 {
		w.then("%sSET (%s)", alter, strings.Join(options(c.Options), ", "))
	}
	if s := c.Sequence; s != nil && !s.Internal && !w.serial(c) {
		w.ownership(c, s)
	}
}

// finishNotNull writes a NOT NULL of a column that comes from elsewhere, and one
// that is not validated.
func (w *tableWriter) finishNotNull(c attribute, alter string) {
	elsewhere := w.table.OfType != nil || !c.Local
	switch {
	case !c.NotNull:
	case c.Rule == nil:
		if parent, ok := w.inherited[c.Plain]; elsewhere && !(ok && parent.NotNull) && !c.InPrimary {
			w.then("%sSET NOT NULL", alter)
		}
	case !c.RuleLocal || c.RuleValid && !elsewhere:
	case c.RuleValid:
		w.then("ALTER TABLE ONLY %s ADD CONSTRAINT %s", w.table.Name, namedRule(c))
	default:
		// A child that is made later would have it validated.
		n := w.graph.add(kindCheck, w.node.name+"."+*c.Rule, object{}, "ALTER TABLE "+w.table.Name+" ADD CONSTRAINT "+namedRule(c)+" NOT VALID")
		n.need(w.node)
	}
}

// namedRule is c's NOT NULL as a constraint of the table.
func namedRule(c attribute) string {
	rule := quote(*c.Rule) + " NOT NULL " + c.Name
	if c.RuleNoInherit {
		rule += " NO INHERIT"
	}
	return rule
}

// finishDefault writes a default that calls a function of the user's by itself,
// since the function may need the table; and one that overrides a parent's.
func (w *tableWriter) finishDefault(c attribute, alter string) {
	if c.Generated || c.Identity != "" {
		return
	}
	elsewhere := w.table.OfType != nil || !c.Local
	if c.Default == nil {
		if parent, ok := w.inherited[c.Plain]; elsewhere && ok && parent.Default != nil && !parent.Generated {
			w.then("%sDROP DEFAULT", alter)
		}
		return
	}
	if c.Calls || elsewhere {
		n := w.graph.add(kindDefault, w.node.name+"."+c.Plain, w.object(w.classes.Default, *c.DefaultOID), alter+"SET DEFAULT "+*c.Default)
		n.need(w.node)
	}
}

// ownership ties a sequence to its column once both are there.
func (w *tableWriter) ownership(c attribute, s *sequence) {
	w.graph.floating[w.object(w.classes.Relation, s.OID)] = true
	n := w.graph.add(kindOwnership, w.node.name+"."+c.Plain, object{}, "ALTER SEQUENCE "+s.Name+" OWNED BY "+w.table.Name+"."+c.Name)
	n.need(w.node)
	n.needsLater = append(n.needsLater, w.object(w.classes.Relation, s.OID))
}

func (w *tableWriter) finishTable() {
	t := w.table
	if t.RowSecurity {
		w.then("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", t.Name)
	}
	if t.ForceRLS {
		w.then("ALTER TABLE ONLY %s FORCE ROW LEVEL SECURITY", t.Name)
	}
	switch t.Replica {
	case "n":
		w.then("ALTER TABLE ONLY %s REPLICA IDENTITY NOTHING", t.Name)
	case "f":
		w.then("ALTER TABLE ONLY %s REPLICA IDENTITY FULL", t.Name)
	}
}

// options quotes the values of "name=value" settings.
func options(stored []string) []string {
	written := make([]string, len(stored))
	for i, o := range stored {
		name, value, _ := strings.Cut(o, "=")
		prefix := ""
		if rest, ok := strings.CutPrefix(name, "toast."); ok {
			prefix, name = "toast.", rest
		}
		written[i] = prefix + quoteOption(name) + "=" + literal(value)
	}
	return written
}

// quoteOption leaves plain words as they are.
func quoteOption(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == "" {
		return name
	}
	return quote(name)
}
