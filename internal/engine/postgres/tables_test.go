package postgres

import (
	"encoding/json"
	"testing"
)

func TestTablesAreShownAsTheUserWroteThem(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	asRole(t, target,
		"CREATE SCHEMA billing",
		"CREATE TYPE mood AS ENUM ('sad')",
		`CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, mail varchar(255) UNIQUE, state mood DEFAULT 'sad',
			n smallint, big bigint DEFAULT 7, price numeric(10,2), code char(3), at timestamptz DEFAULT now(), t3 timestamp(3)[], z time with time zone,
			d double precision, bits bit varying(4), twice int GENERATED ALWAYS AS (n * 2) STORED, counter int GENERATED ALWAYS AS IDENTITY)`,
		`CREATE TABLE billing."Odd Name" (a smallserial, b bigserial, PRIMARY KEY (b, a))`,
		"CREATE INDEX by_name ON users (name)", "CREATE VIEW v AS SELECT 1", "CREATE TEMP TABLE tt (a int)")
	tables, err := e.Tables(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"Name":"billing.Odd Name","Columns":[` +
		`{"Name":"a","Type":"SMALLSERIAL","Nullable":false,"Default":null,"PrimaryKey":true},` +
		`{"Name":"b","Type":"BIGSERIAL","Nullable":false,"Default":null,"PrimaryKey":true}],"Indexes":["Odd Name_pkey"],"Validator":null},` +
		`{"Name":"users","Columns":[` +
		`{"Name":"id","Type":"SERIAL","Nullable":false,"Default":null,"PrimaryKey":true},` +
		`{"Name":"name","Type":"TEXT","Nullable":false,"Default":null,"PrimaryKey":false},` +
		`{"Name":"mail","Type":"VARCHAR(255)","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"state","Type":"mood","Nullable":true,"Default":"'sad'::mood","PrimaryKey":false},` +
		`{"Name":"n","Type":"SMALLINT","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"big","Type":"BIGINT","Nullable":true,"Default":"7","PrimaryKey":false},` +
		`{"Name":"price","Type":"NUMERIC(10,2)","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"code","Type":"CHAR(3)","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"at","Type":"TIMESTAMPTZ","Nullable":true,"Default":"now()","PrimaryKey":false},` +
		`{"Name":"t3","Type":"TIMESTAMP(3)[]","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"z","Type":"TIMETZ","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"d","Type":"DOUBLE PRECISION","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"bits","Type":"VARBIT(4)","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"twice","Type":"INTEGER","Nullable":true,"Default":null,"PrimaryKey":false},` +
		`{"Name":"counter","Type":"INTEGER","Nullable":false,"Default":null,"PrimaryKey":false}],` +
		`"Indexes":["by_name","users_mail_key","users_pkey"],"Validator":null}]`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTablesOfAnEmptyWorkspaceAreAnEmptyList(t *testing.T) {
	e := newEngine(t)
	tables, err := e.Tables(t.Context(), newWorkspace(t, e))
	if err != nil || tables == nil || len(tables) != 0 {
		t.Errorf("got %v, %v", tables, err)
	}
}
