package workspace

import (
	"context"
	"fmt"
	"slices"
)

const (
	maxImportTenants  = 1000 // of one import, and of one analysis
	maxCreatedTenants = 50   // made by one import
	maxDataTables     = 2000
)

// dataPlan is a data import before it begins.
type dataPlan struct {
	source   DataSource
	tables   []AnalyzedTable // against the workspace's own
	tenants  []AnalyzedTenant
	total    int64
	parts    []plannedPart
	absent   []string // tenants that are to be made
	problems []string
	found    []DataTable // the source's, those that were left out too
}

// plannedPart is what is copied into one database.
type plannedPart struct {
	h      *held
	tenant string
	copy   DataCopy
	order  []int // of each copy, its table's index in the plan
}

// openData opens the source of a request, whose fields it checks first.
func (s *Service) openData(ctx context.Context, w Workspace, h *held, r *DataRequest) (DataSource, error) {
	if w.Type == Redis {
		return nil, Errorf(BadRequest, "a Redis workspace takes no data import: copy the keys with a client, as redis-cli --rdb, RIOT or DUMP and RESTORE do")
	}
	engine, ok := h.server.engine.(DataImporter)
	if !ok {
		return nil, Errorf(BadRequest, "data can't be imported into %s workspaces: copy it with mongodump and mongorestore, which reach the workspace as any client does", w.Type.DisplayName())
	}
	if r.Connection == nil {
		return nil, badField("connection", "missing field %q", "connection")
	}
	login := *r.Connection
	from, err := login.check()
	if err != nil {
		return nil, err
	}
	if from != w.Type {
		return nil, badField("connection.type", "data is imported from a database of the workspace's own type: %s, not %s", w.Type.DisplayName(), from.DisplayName())
	}
	if err := r.check(w.Mode); err != nil {
		return nil, err
	}
	r.Connection = &login
	return engine.OpenData(ctx, login.ForRows())
}

// check holds the fields of a request to each other.
func (r *DataRequest) check(mode Mode) error {
	switch {
	case r.RoutingField != "" && mode != Tenant:
		return badField("routing_field", "rows are routed to tenants of a workspace in tenant mode: this one has none, leave out \"routing_field\"")
	case r.RoutingField == "" && len(r.Shared) > 0:
		return badField("shared_tables", "field %q needs %q", "shared_tables", "routing_field")
	case r.RoutingField == "" && r.Tenants != nil:
		return badField("tenants", "field %q needs %q", "tenants", "routing_field")
	case r.RoutingField == "" && r.CreateTenants:
		return badField("create_tenants", "field %q needs %q", "create_tenants", "routing_field")
	case r.RoutingField == "" && r.DropRouting:
		return badField("drop_routing_field", "field %q needs %q", "drop_routing_field", "routing_field")
	case r.Tables != nil && len(r.Tables) == 0:
		return badField("tables", "field %q names no table: leave it out for all of them", "tables")
	case r.Tenants != nil && len(r.Tenants) == 0:
		return badField("tenants", "field %q names no tenant: leave it out for all of them", "tenants")
	}
	return nil
}

// planData reads the source and compares it with where its rows are to go.
func (s *Service) planData(ctx context.Context, p Principal, h *held, source DataSource, r DataRequest) (dataPlan, error) {
	plan := dataPlan{source: source}
	var err error
	if plan.found, err = source.Tables(ctx); err != nil {
		return plan, err
	}
	if len(plan.found) > maxDataTables {
		return plan, badField("connection.database", "the database has %d tables: at most %d can be imported", len(plan.found), maxDataTables)
	}
	wanted, err := wantedTables(r, plan.found)
	if err != nil {
		return plan, err
	}
	if len(wanted) == 0 {
		return plan, emptySource(*r.Connection)
	}
	m, ordered, err := s.matchDatabase(ctx, h, r, wanted)
	if err != nil {
		return plan, err
	}
	plan.tables = m.tables
	if r.RoutingField == "" {
		plan.problems = m.problems
		plan.parts = []plannedPart{plannedPartOf(h, "", wanted, ordered)}
		return plan, nil
	}
	return plan, s.planTenants(ctx, p, h, &plan, m, wanted, r)
}

// matchDatabase compares the source's tables with those of h.
func (s *Service) matchDatabase(ctx context.Context, h *held, r DataRequest, wanted []DataTable) (matched, DataCopy, error) {
	ours, err := h.server.engine.(DataImporter).DataTables(ctx, h.target)
	if err != nil {
		return matched{}, DataCopy{}, fmt.Errorf("read tables: %w", err)
	}
	m := matchTables(r, wanted, ours)
	ordered, problem := orderCopies(m.copies, ours)
	if problem != "" {
		m.problems = append(m.problems, problem)
	}
	return m, ordered, nil
}

// plannedPartOf keeps of each copy which of the tables it is of.
func plannedPartOf(h *held, tenant string, wanted []DataTable, ordered DataCopy) plannedPart {
	part := plannedPart{h: h, tenant: tenant, copy: ordered}
	for i := range ordered.Tables {
		if ordered.Tables[i].Where != "" {
			ordered.Tables[i].Value = tenant
		}
		part.order = append(part.order, slices.IndexFunc(wanted, func(t DataTable) bool { return t.Key == ordered.Tables[i].Table }))
	}
	return part
}

// wantedTables are those that the request names.
func wantedTables(r DataRequest, found []DataTable) ([]DataTable, error) {
	for field, names := range map[string][]string{"tables": r.Tables, "shared_tables": r.Shared} {
		for _, name := range names {
			if !slices.ContainsFunc(found, func(t DataTable) bool { return t.Name == name }) {
				return nil, badField(field, "the database has no table %.80q that its user can see", name)
			}
			if field == "shared_tables" && r.Tables != nil && !slices.Contains(r.Tables, name) {
				return nil, badField(field, "the table %.80q of %q is not in %q", name, "shared_tables", "tables")
			}
		}
	}
	if r.Tables == nil {
		return found, nil
	}
	var wanted []DataTable
	for _, t := range found {
		if slices.Contains(r.Tables, t.Name) {
			wanted = append(wanted, t)
		}
	}
	return wanted, nil
}

// planTenants finds the tenants that the rows name and compares the source with
// the database of each; m is what the blueprint's own would say.
func (s *Service) planTenants(ctx context.Context, p Principal, blueprint *held, plan *dataPlan, m matched, wanted []DataTable, r DataRequest) error {
	var routed []string
	for _, t := range plan.tables {
		if t.Routed {
			routed = append(routed, t.Key)
		}
	}
	if len(routed) == 0 {
		return badField("routing_field", "none of the tables has a column %.80q", r.RoutingField)
	}
	rows, err := plan.source.Tenants(ctx, routed, r.RoutingField, maxImportTenants)
	if err != nil {
		return err
	}
	plan.total = rows.Total
	if rows.Without > 0 && r.Tenants == nil {
		plan.problem("%d rows have no %s, so that they are no tenant's: give them one, or name the tenants to import in \"tenants\"", rows.Without, r.RoutingField)
	}
	if rows.Total > maxImportTenants {
		plan.problem("the rows name %d tenants, and one import takes %d: split the database", rows.Total, maxImportTenants)
	}
	for _, name := range r.Tenants {
		if !slices.ContainsFunc(rows.Tenants, func(t TenantCount) bool { return t.Value == name }) {
			return badField("tenants", "no row names the tenant %.80q", name)
		}
	}
	compared := false
	for _, count := range rows.Tenants {
		if r.Tenants != nil && !slices.Contains(r.Tenants, count.Value) {
			continue
		}
		h, err := s.routedTo(p, blueprint, count.Value, plan)
		if err != nil {
			return err
		}
		plan.tenants = append(plan.tenants, AnalyzedTenant{TenantCount: count, Exists: h != nil})
		if h == nil {
			continue
		}
		if err := s.planPart(ctx, h, count.Value, plan, wanted, r); err != nil {
			return err
		}
		compared = true
	}
	if len(plan.absent) > 0 && !r.CreateTenants {
		plan.problem("there are no databases of blueprint %s for the tenants %s: make them by POST /tenants, or say \"create_tenants\": true",
			blueprint.live.Name, listed(plan.absent))
	}
	if len(plan.absent) > maxCreatedTenants && r.CreateTenants {
		plan.problem("%d tenants are not there, and one import makes %d: name some in \"tenants\", or make them by POST /tenants", len(plan.absent), maxCreatedTenants)
	}
	if !compared || len(plan.absent) > 0 {
		plan.problems = append(plan.problems, m.problems...)
	}
	return nil
}

// planPart compares the source with a tenant's database.
func (s *Service) planPart(ctx context.Context, h *held, tenant string, plan *dataPlan, wanted []DataTable, r DataRequest) error {
	m, ordered, err := s.matchDatabase(ctx, h, r, wanted)
	if err != nil {
		return err
	}
	for _, problem := range m.problems {
		plan.problem("tenant %s: %s", tenant, problem)
	}
	plan.parts = append(plan.parts, plannedPartOf(h, tenant, wanted, ordered))
	return nil
}

// routedTo is the database of the tenant that rows name; nil where there is none,
// which is noted in the plan.
func (s *Service) routedTo(p Principal, blueprint *held, name string, plan *dataPlan) (*held, error) {
	if err := checkTenantName(name); err != nil {
		plan.problem("%.80q can't be a tenant: %v", name, err)
		return nil, nil
	}
	if err := p.reachesTenant(name); err != nil {
		return nil, err
	}
	h, err := s.databaseOf(p, blueprint.live.Name, name, "routing_field")
	if err != nil {
		plan.absent = append(plan.absent, name)
		return nil, nil //nolint:nilerr // that it is not there is no failure
	}
	switch w, record := s.directory.tenancyNow(h); {
	case record.State == TenantTrash:
		plan.problem("%s", inTrash(record).Message)
	case w.State != Ready:
		plan.problem("tenant %s is not ready", name)
	case h.server == nil:
		return nil, serverMissing(w)
	}
	return h, nil
}

func (p *dataPlan) problem(format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// listed names some of them.
func listed(names []string) string {
	const most = 20
	text := ""
	for i, name := range names {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(names)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}
