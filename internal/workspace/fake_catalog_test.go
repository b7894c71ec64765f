package workspace_test

import (
	"context"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// faultyCatalog is a real catalog whose writes can fail.
type faultyCatalog struct {
	workspace.Catalog
	faults *faults
}

func (c faultyCatalog) AddWorkspace(ctx context.Context, w workspace.Workspace) (id int64, err error) {
	err = c.faults.around("add workspace", func() error {
		id, err = c.Catalog.AddWorkspace(ctx, w)
		return err
	})
	return id, err
}

func (c faultyCatalog) AddKey(ctx context.Context, k workspace.APIKey) error {
	return c.faults.around("add key", func() error { return c.Catalog.AddKey(ctx, k) })
}

func (c faultyCatalog) RevokeKey(ctx context.Context, id string, at time.Time) error {
	return c.faults.around("revoke key", func() error { return c.Catalog.RevokeKey(ctx, id, at) })
}

func (c faultyCatalog) AddReader(ctx context.Context, r workspace.ReaderRecord) error {
	return c.faults.around("add reader", func() error { return c.Catalog.AddReader(ctx, r) })
}

func (c faultyCatalog) RemoveReader(ctx context.Context, id int64) error {
	return c.faults.around("remove reader", func() error { return c.Catalog.RemoveReader(ctx, id) })
}

func (c faultyCatalog) SetState(ctx context.Context, id int64, s workspace.State) error {
	return c.faults.around("set state", func() error { return c.Catalog.SetState(ctx, id, s) })
}

func (c faultyCatalog) RemoveWorkspace(ctx context.Context, id int64) error {
	return c.faults.around("remove workspace", func() error { return c.Catalog.RemoveWorkspace(ctx, id) })
}

func (c faultyCatalog) SetSettings(ctx context.Context, id int64, s workspace.Settings) error {
	return c.faults.around("set settings", func() error { return c.Catalog.SetSettings(ctx, id, s) })
}

func (c faultyCatalog) Append(ctx context.Context, id int64, changes []workspace.Change, at time.Time) (version int64, err error) {
	err = c.faults.around("append", func() error {
		version, err = c.Catalog.Append(ctx, id, changes, at)
		return err
	})
	return version, err
}

func (c faultyCatalog) AddTenantDatabase(ctx context.Context, t workspace.TenantRecord, d workspace.TenantDatabase) (tenantID, id int64, err error) {
	err = c.faults.around("add tenant database", func() error {
		tenantID, id, err = c.Catalog.AddTenantDatabase(ctx, t, d)
		return err
	})
	return tenantID, id, err
}

func (c faultyCatalog) SetTenantState(ctx context.Context, id int64, s workspace.TenantState) error {
	return c.faults.around("set tenant state", func() error { return c.Catalog.SetTenantState(ctx, id, s) })
}

func (c faultyCatalog) SetTenantDatabasesReady(ctx context.Context, ids []int64, at time.Time) error {
	return c.faults.around("set tenant databases ready", func() error { return c.Catalog.SetTenantDatabasesReady(ctx, ids, at) })
}

func (c faultyCatalog) SetTenantDeleting(ctx context.Context, id int64) error {
	return c.faults.around("set tenant deleting", func() error { return c.Catalog.SetTenantDeleting(ctx, id) })
}

func (c faultyCatalog) SetTenantDatabaseSettings(ctx context.Context, id int64, s workspace.Settings) error {
	return c.faults.around("set tenant database settings", func() error { return c.Catalog.SetTenantDatabaseSettings(ctx, id, s) })
}

func (c faultyCatalog) RemoveTenantDatabase(ctx context.Context, id int64) error {
	return c.faults.around("remove tenant database", func() error { return c.Catalog.RemoveTenantDatabase(ctx, id) })
}

func (c faultyCatalog) BeginVersion(ctx context.Context, id, version int64) (v workspace.Version, err error) {
	err = c.faults.around("begin version", func() error {
		v, err = c.Catalog.BeginVersion(ctx, id, version)
		return err
	})
	return v, err
}

func (c faultyCatalog) FinishVersion(ctx context.Context, id, version int64, at time.Time) error {
	return c.faults.around("finish version", func() error { return c.Catalog.FinishVersion(ctx, id, version, at) })
}

func (c faultyCatalog) AbandonVersion(ctx context.Context, id int64) error {
	return c.faults.around("abandon version", func() error { return c.Catalog.AbandonVersion(ctx, id) })
}

func (c faultyCatalog) AddDeployment(ctx context.Context, d workspace.Deployment) error {
	return c.faults.around("add deployment", func() error { return c.Catalog.AddDeployment(ctx, d) })
}

func (c faultyCatalog) SetDeploymentResult(ctx context.Context, id string, r workspace.DeploymentResult) error {
	return c.faults.around("set deployment result", func() error { return c.Catalog.SetDeploymentResult(ctx, id, r) })
}

func (c faultyCatalog) SetDeploymentState(ctx context.Context, id string, s workspace.DeploymentState, completed *time.Time) error {
	return c.faults.around("set deployment state", func() error { return c.Catalog.SetDeploymentState(ctx, id, s, completed) })
}

func (c faultyCatalog) AddDataImport(ctx context.Context, d workspace.DataImport) error {
	return c.faults.around("import", func() error { return c.Catalog.AddDataImport(ctx, d) })
}

func (c faultyCatalog) SetDataImportPart(ctx context.Context, id string, n int, p workspace.ImportPart) error {
	return c.faults.around("import", func() error { return c.Catalog.SetDataImportPart(ctx, id, n, p) })
}

func (c faultyCatalog) SetDataImportState(ctx context.Context, id string, s workspace.ImportState, told string, completed *time.Time) error {
	return c.faults.around("import", func() error { return c.Catalog.SetDataImportState(ctx, id, s, told, completed) })
}
