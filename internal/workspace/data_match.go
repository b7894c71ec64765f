package workspace

import (
	"fmt"
	"slices"
	"strings"
)

// matched are a source's tables beside those of one database of ours.
type matched struct {
	tables   []AnalyzedTable
	copies   []TableCopy // of tables, in their order
	problems []string
}

// matchTables says what of the source's tables can be copied, and what can't.
func matchTables(r DataRequest, source, ours []DataTable) matched {
	var m matched
	there := map[string]DataTable{}
	for _, t := range ours {
		there[t.Key] = t
	}
	for _, t := range source {
		found := AnalyzedTable{DataTable: t, Routed: r.RoutingField != "" && t.has(r.RoutingField)}
		var own DataTable
		own, found.There = there[t.Key]
		c := TableCopy{Table: t.Key}
		if found.There {
			c.Columns, found.Missing = matchColumns(r, found, own)
			m.problems = append(m.problems, columnProblems(found, own, c.Columns)...)
			if own.Unfit != "" {
				m.problem("the table %s can take no rows: %s", t.Name, own.Unfit)
			}
		} else {
			m.problem("the table %s is not in the database: import its schema first, or leave the table out by \"tables\"", t.Name)
		}
		shared := slices.Contains(r.Shared, t.Name)
		switch {
		case found.Routed && shared:
			m.problem("the table %s has the column %s: it can't be one of \"shared_tables\", since each tenant would get all tenants' rows", t.Name, r.RoutingField)
		case found.Routed:
			c.Where = r.RoutingField
		case r.RoutingField != "" && !shared:
			m.problem("the table %s has no column %s: name it in \"shared_tables\" for each tenant to get it whole, or leave it out by \"tables\"", t.Name, r.RoutingField)
		}
		m.tables, m.copies = append(m.tables, found), append(m.copies, c)
	}
	return m
}

func (m *matched) problem(format string, args ...any) {
	m.problems = append(m.problems, fmt.Sprintf(format, args...))
}

// matchColumns are the source's columns that own takes, and those that it lacks.
func matchColumns(r DataRequest, found AnalyzedTable, own DataTable) (taken, missing []string) {
	for _, c := range found.Columns {
		i := slices.IndexFunc(own.Columns, func(o DataColumn) bool { return o.Name == c.Name })
		switch {
		case i >= 0 && !own.Columns[i].Generated:
			taken = append(taken, c.Name)
		case i >= 0, found.Routed && r.DropRouting && c.Name == r.RoutingField:
		default:
			missing = append(missing, c.Name)
		}
	}
	return taken, missing
}

// columnProblems says what of the columns keeps found from being copied into own.
func columnProblems(found AnalyzedTable, own DataTable, taken []string) (problems []string) {
	if len(found.Missing) > 0 {
		problems = append(problems, fmt.Sprintf("the table %s has no column %s, which the source has", found.Name, strings.Join(found.Missing, ", ")))
	}
	if len(taken) == 0 && len(found.Missing) == 0 {
		problems = append(problems, fmt.Sprintf("the table %s has no columns to copy: leave it out by \"tables\"", found.Name))
	}
	for _, c := range own.Columns {
		if c.Required && !slices.Contains(taken, c.Name) {
			problems = append(problems, fmt.Sprintf("the table %s needs a value for the column %s, which the source does not have", found.Name, c.Name))
		}
	}
	return problems
}

func (t DataTable) has(column string) bool {
	return slices.ContainsFunc(t.Columns, func(c DataColumn) bool { return c.Name == column })
}

// orderCopies puts parents before their children. Where keys lead in a circle,
// those that can be deferred are, and the copies that are left in one without
// such a key are a problem. ours are the tables that the keys belong to.
func orderCopies(copies []TableCopy, ours []DataTable) (ordered DataCopy, problem string) {
	parents := map[string][]DataParent{}
	names := map[string]string{}
	for _, t := range ours {
		parents[t.Key], names[t.Key] = t.Parents, t.Name
	}
	waiting := slices.Clone(copies)
	blocked := func(c TableCopy, hard bool) bool {
		return slices.ContainsFunc(parents[c.Table], func(p DataParent) bool {
			return p.Table != c.Table && !(hard && p.Deferrable) &&
				slices.ContainsFunc(waiting, func(w TableCopy) bool { return w.Table == p.Table })
		})
	}
	for len(waiting) > 0 {
		next := slices.IndexFunc(waiting, func(c TableCopy) bool { return !blocked(c, false) })
		if next < 0 {
			ordered.Deferred = true
			next = slices.IndexFunc(waiting, func(c TableCopy) bool { return !blocked(c, true) })
		}
		if next < 0 {
			var circle []string
			for _, c := range waiting {
				circle = append(circle, names[c.Table])
			}
			return ordered, fmt.Sprintf("foreign keys lead in a circle among the tables %s, so that no order of copying meets them: "+
				"make one of each circle DEFERRABLE, or leave a table out by \"tables\"", strings.Join(circle, ", "))
		}
		ordered.Tables = append(ordered.Tables, waiting[next])
		waiting = slices.Delete(waiting, next, next+1)
	}
	return ordered, ""
}

// candidateNames are what columns that name a tenant are called.
func candidateNames() []string {
	return []string{"tenant", "org", "organization", "organisation", "account", "customer", "company", "client", "workspace", "team", "shop", "store", "site"}
}

// routingCandidates are the columns that more than one table has and that are
// called as one that names a tenant, those of the most tables first.
func routingCandidates(tables []DataTable) []string {
	count := map[string]int{}
	for _, t := range tables {
		for _, c := range t.Columns {
			name := strings.ToLower(c.Name)
			for _, suffix := range []string{"_id", "id", "_key", "_slug", ""} {
				if base, ok := strings.CutSuffix(name, suffix); ok && slices.Contains(candidateNames(), base) {
					count[c.Name]++
					break
				}
			}
		}
	}
	var all []string
	for name, tables := range count {
		if tables > 1 {
			all = append(all, name)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if n := count[b] - count[a]; n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return all
}
