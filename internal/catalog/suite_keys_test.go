package catalog_test

import (
	"errors"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func testLoginsOfKeysSurvive(t *testing.T, open func() workspace.Catalog) {
	c := open()
	addProject(t, c, "tdb_00000001", "default")
	k := workspace.APIKey{
		ID: "key_1", ProjectID: "tdb_00000001", Name: "reports", Prefix: "tenantsdb_sk_1", Hash: []byte("hash 1"), Role: "read",
		Scope: workspace.Scope{Type: "workspace", Values: []string{"shop"}}, CreatedAt: start,
		Login: workspace.Credential{
			ID: "cred_1", ProjectID: "tdb_0000000a", Sealed: []byte{3}, CreatedAt: start,
			SCRAM: workspace.SCRAM{Iterations: 4096, Salt: []byte{4}, StoredKey: []byte{5}, ServerKey: []byte{6}},
		},
	}
	must(t, c.AddKey(t.Context(), k))
	same := k
	same.ID, same.Hash = "key_2", []byte("hash 2")
	if err := c.AddKey(t.Context(), same); !errors.Is(err, workspace.ErrExists) {
		t.Errorf("a second key with that login: got %v, want ErrExists", err)
	}
	find := func(c workspace.Catalog) workspace.APIKey {
		all, err := c.Keys(t.Context())
		must(t, err)
		for _, other := range all {
			if other.ID == k.ID {
				return other
			}
		}
		t.Fatalf("got %+v without the key", all)
		return k
	}
	c = open()
	equal(t, find(c), k, nil)
	must(t, c.RevokeKey(t.Context(), k.ID, start))
	equal(t, find(open()).Login, workspace.Credential{}, nil)
	c = open()
	must(t, c.AddKey(t.Context(), same)) // the login is free again
	must(t, c.RemoveProject(t.Context(), "tdb_00000001"))
	all, err := c.Keys(t.Context())
	equal(t, len(all), 0, err)
}

func testReadersGoWithTheirDatabases(t *testing.T, open func() workspace.Catalog) {
	c := open()
	blueprint := readyWorkspace(t, c)
	tenant := readyTenant(t, c, blueprint, "acme")
	want := []workspace.ReaderRecord{
		{DatabaseID: blueprint, Role: "shop_workspace_reader", RoleSecret: []byte{1}},
		{DatabaseID: tenant, Role: "shop__acme_reader", RoleSecret: []byte{2}},
	}
	for _, r := range want {
		must(t, c.AddReader(t.Context(), r))
		if err := c.AddReader(t.Context(), r); !errors.Is(err, workspace.ErrExists) {
			t.Errorf("a second reader: got %v, want ErrExists", err)
		}
	}
	c = open()
	readers, err := c.Readers(t.Context())
	equal(t, readers, want, err)
	must(t, c.RemoveTenantDatabase(t.Context(), tenant))
	readers, err = c.Readers(t.Context())
	equal(t, readers, want[:1], err)
	for range 2 {
		must(t, c.RemoveReader(t.Context(), blueprint))
	}
	must(t, c.AddReader(t.Context(), want[0]))
	must(t, c.RemoveWorkspace(t.Context(), blueprint))
	readers, err = open().Readers(t.Context())
	equal(t, len(readers), 0, err)
}
