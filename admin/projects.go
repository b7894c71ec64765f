package admin

import (
	"log/slog"
	"net/http"
)

func (a *api) projectRoutes() []route {
	return []route{
		{http.MethodGet, "/projects", reader, "list projects", a.listProjects},
		{http.MethodPost, "/projects", administrator, "create project", a.createProject},
		{http.MethodDelete, "/projects/{project_id}", administrator, "delete project", a.deleteProject},
	}
}

// projectItem is one project in a list.
type projectItem struct {
	ProjectID   string `json:"project_id"`
	Name        string `json:"name"`
	APIKeyCount int    `json:"api_key_count"`
	CreatedAt   string `json:"created_at"`
}

// listProjects serves GET /projects.
func (a *api) listProjects(x *exchange) error {
	all, err := a.service.ListProjects(x.r.Context(), x.principal)
	if err != nil {
		return err
	}
	items := make([]projectItem, len(all))
	for i, p := range all {
		items[i] = projectItem{ProjectID: p.ID, Name: p.Name, APIKeyCount: p.APIKeys, CreatedAt: utc(p.CreatedAt)}
	}
	return x.ok(&struct {
		envelope
		Projects []projectItem `json:"projects"`
		Count    int           `json:"count"`
	}{Projects: items, Count: len(items)})
}

// createProject serves POST /projects. Its answer is the only one that shows
// the project's secrets.
func (a *api) createProject(x *exchange) error {
	var name string
	if err := x.decode(mostBody, field{name: "name", into: &name}); err != nil {
		return err
	}
	x.note(slog.String("name", shorten(name)))
	p, err := a.service.CreateProject(x.r.Context(), x.principal, name)
	if err != nil {
		return err
	}
	x.note(slog.String("target", p.ID))
	return x.created(&struct {
		envelope
		ProjectID     string `json:"project_id"`
		Name          string `json:"name"`
		APIKey        string `json:"api_key"`
		ProxyPassword string `json:"proxy_password"`
		Message       string `json:"message"`
	}{
		ProjectID:     p.ID,
		Name:          p.Name,
		APIKey:        p.APIKey,
		ProxyPassword: p.ProxyPassword,
		Message:       "Project created. Save your API key - it won't be shown again!",
	})
}

// deleteProject serves DELETE /projects/{project_id}.
func (a *api) deleteProject(x *exchange) error {
	id := x.vars["project_id"]
	x.note(slog.String("target", shorten(id)))
	if err := a.service.DeleteProject(x.r.Context(), x.principal, id); err != nil {
		return err
	}
	return x.ok(&struct {
		envelope
		ProjectID string `json:"project_id"`
		Message   string `json:"message"`
	}{ProjectID: id, Message: "project deleted"})
}
