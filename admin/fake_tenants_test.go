package admin

import (
	"context"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (f *fakeService) Blueprints(context.Context, workspace.Principal) ([]workspace.Blueprint, error) {
	return f.blueprints()
}

func (f *fakeService) Blueprint(_ context.Context, _ workspace.Principal, name string) (workspace.Blueprint, error) {
	return f.blueprint(name)
}

func (f *fakeService) BlueprintVersions(_ context.Context, _ workspace.Principal, name string) ([]workspace.Version, error) {
	return f.versions(name)
}

func (f *fakeService) ListTenants(context.Context, workspace.Principal) ([]workspace.TenantDetails, error) {
	return f.listTenants()
}

func (f *fakeService) GetTenant(_ context.Context, _ workspace.Principal, name string) (workspace.TenantDetails, error) {
	return f.getTenant(name)
}

func (f *fakeService) CreateTenant(_ context.Context, _ workspace.Principal, r workspace.TenantRequest) (workspace.TenantDetails, error) {
	return f.createTenant(r)
}

func (f *fakeService) SuspendTenant(_ context.Context, _ workspace.Principal, name string) (workspace.TenantDetails, error) {
	return f.changeTenant("suspend", name)
}

func (f *fakeService) ResumeTenant(_ context.Context, _ workspace.Principal, name string) (workspace.TenantDetails, error) {
	return f.changeTenant("resume", name)
}

func (f *fakeService) RestoreTenant(_ context.Context, _ workspace.Principal, name string) (workspace.TenantDetails, error) {
	return f.changeTenant("restore", name)
}

func (f *fakeService) DeleteTenant(_ context.Context, _ workspace.Principal, name string, hard bool) error {
	return f.deleteTenant(name, hard)
}

func (f *fakeService) QueryTenants(_ context.Context, _ workspace.Principal, q workspace.TenantQuery) ([]workspace.TenantResult, error) {
	return f.queryTenants(q)
}

func (f *fakeService) Deploy(_ context.Context, _ workspace.Principal, r workspace.DeploymentRequest) (workspace.Deployment, error) {
	return f.deploy(r)
}

func (f *fakeService) PlanDeployment(_ context.Context, _ workspace.Principal, r workspace.DeploymentRequest) (workspace.DeploymentPlan, error) {
	return f.planDeployment(r)
}

func (f *fakeService) ListDeployments(_ context.Context, _ workspace.Principal, before string, limit int) ([]workspace.DeploymentSummary, bool, error) {
	return f.listDeployments(before, limit)
}

func (f *fakeService) GetDeployment(_ context.Context, _ workspace.Principal, id string) (workspace.Deployment, error) {
	return f.getDeployment(id)
}
