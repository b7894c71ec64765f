package admin

import (
	"log/slog"
	"net/http"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func (a *api) keyRoutes() []route {
	return []route{
		{http.MethodGet, "/apikeys", administrator, "list API keys", a.listKeys},
		{http.MethodPost, "/apikeys", administrator, "create API key", a.createKey},
		{http.MethodDelete, "/apikeys/{key_id}", administrator, "revoke API key", a.revokeKey},
	}
}

// keyItem is an API key without its secret.
type keyItem struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Prefix      string   `json:"prefix"` // of the secret, to recognise it by
	Role        string   `json:"role"`
	ScopeType   string   `json:"scope_type"`
	ScopeValues []string `json:"scope_values"`
	ProxyUser   *string  `json:"proxy_user"` // null for a key that is older than these logins
	CreatedAt   string   `json:"created_at"`
}

func keyItemOf(k workspace.APIKey) keyItem {
	return keyItem{
		ID:          k.ID,
		Name:        k.Name,
		Prefix:      k.Prefix,
		Role:        k.Role,
		ScopeType:   k.Scope.Type,
		ScopeValues: orEmpty(k.Scope.Values),
		ProxyUser:   orNull(k.ProxyUser()),
		CreatedAt:   utc(k.CreatedAt),
	}
}

// listKeys serves GET /apikeys.
func (a *api) listKeys(x *exchange) error {
	all, err := a.service.ListKeys(x.r.Context(), x.principal)
	if err != nil {
		return err
	}
	items := make([]keyItem, len(all))
	for i, k := range all {
		items[i] = keyItemOf(k)
	}
	return x.ok(&struct {
		envelope
		APIKeys []keyItem `json:"api_keys"`
		Count   int       `json:"count"`
	}{APIKeys: items, Count: len(items)})
}

// createKey serves POST /apikeys. Its answer is the only one that shows the
// key's secrets.
func (a *api) createKey(x *exchange) error {
	var asked workspace.KeyRequest
	err := x.decode(mostBody,
		field{name: "name", into: &asked.Name},
		field{name: "role", into: &asked.Role, optional: true},
		field{name: "scope_type", into: &asked.Scope.Type, optional: true},
		field{name: "scope_values", into: &asked.Scope.Values, optional: true},
	)
	if err != nil {
		return err
	}
	x.note(slog.String("name", shorten(asked.Name)))
	key, err := a.service.CreateKey(x.r.Context(), x.principal, asked)
	if err != nil {
		return err
	}
	x.note(slog.String("target", key.ID))
	return x.created(&struct {
		envelope
		keyItem
		APIKey        string `json:"api_key"`
		ProxyPassword string `json:"proxy_password"`
		Message       string `json:"message"`
	}{
		keyItem:       keyItemOf(key.APIKey),
		APIKey:        key.Secret,
		ProxyPassword: key.ProxyPassword,
		Message:       "API key created. Save it - it won't be shown again!",
	})
}

// revokeKey serves DELETE /apikeys/{key_id}.
func (a *api) revokeKey(x *exchange) error {
	id := x.vars["key_id"]
	x.note(slog.String("target", shorten(id)))
	if err := a.service.RevokeKey(x.r.Context(), x.principal, id); err != nil {
		return err
	}
	return x.ok(&struct {
		envelope
		ID      string `json:"id"`
		Message string `json:"message"`
	}{ID: id, Message: "API key revoked"})
}

// orNull is text, or JSON's null where it is empty.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
