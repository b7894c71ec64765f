package mongodb

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

var _ workspace.Importer = (*Engine)(nil)

const codeNamespaceExists = 48

// Import runs the steps, which are command documents, one after the other. Each
// is noted by itself; what makes them one version is the unit that all are
// announced with.
func (e *Engine) Import(ctx context.Context, t workspace.Target, steps []schema.Step, limits workspace.Limits) ([]workspace.Outcome, error) {
	n, err := e.kind(ctx)
	if err != nil {
		return nil, err
	}
	client, release, err := e.asRole(ctx, t)
	if err != nil {
		return nil, err
	}
	defer release()
	session, err := client.StartSession()
	if err != nil {
		return nil, e.failed("start session", err)
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	i := importer{engine: e, client: client, session: session, database: t.Database, limits: limits, ferret: n.ferret, unit: sourceImport + ":" + rand.Text()}
	outcomes := make([]workspace.Outcome, len(steps))
	for n, step := range steps {
		outcomes[n] = i.step(ctx, step)
	}
	return outcomes, nil
}

// importer runs one import.
type importer struct {
	engine   *Engine
	client   *mongo.Client
	session  *mongo.Session
	database string
	limits   workspace.Limits
	ferret   bool
	unit     string
}

// step runs one command within the limit of a query.
func (i *importer) step(ctx context.Context, step schema.Step) workspace.Outcome {
	command, err := ddltrack.ParseMongoCommand(step.Statement)
	if err != nil {
		return workspace.Outcome{Err: refusal(0, "", "%v", err).Because(err)}
	}
	var left []string
	if i.ferret {
		command, left = withoutUnknown(command)
	}
	running, stop := bounded(ctx, i.limits.TimeoutMS)
	defer stop()
	r := &runner{
		engine: i.engine, client: i.client, session: i.session, database: i.database, limits: i.limits, ferret: i.ferret,
		ends:  time.Now().Add(time.Duration(i.limits.TimeoutMS) * time.Millisecond),
		known: map[string]bool{}, source: sourceImport, unit: i.unit,
	}
	answer, err := r.run(running, command)
	switch {
	case err != nil:
		return workspace.Outcome{Err: r.verdict(running, err)}
	case answer.Code == codeNamespaceExists:
		return workspace.Outcome{Err: fmt.Errorf("%w: %s", workspace.ErrExists, answer.Error)}
	case answer.Error != "":
		return workspace.Outcome{Err: refusal(answer.Code, answer.CodeName, "%s", answer.Error)}
	}
	if failure := writeFailure(answer.Reply); failure != nil {
		return workspace.Outcome{Err: refusal(failure.Code, failure.CodeName, "%s", failure.Message)}
	}
	if len(left) == 0 {
		return workspace.Outcome{}
	}
	return workspace.Outcome{Warning: fmt.Sprintf("%s: made without %s, which this server does not have", step.Object, strings.Join(left, ", "))}
}

// withoutUnknown leaves out of a command what FerretDB refuses and a schema can
// go without: it holds the same documents then, and checks or expires fewer.
func withoutUnknown(command bson.D) (kept bson.D, left []string) {
	unknown := func(key string) bool {
		switch key {
		case "validator", "validationLevel", "validationAction", "expireAfterSeconds":
			return true
		}
		return false
	}
	without := func(d bson.D) bson.D {
		return slices.DeleteFunc(slices.Clone(d), func(e bson.E) bool {
			if !unknown(e.Key) {
				return false
			}
			left = append(left, e.Key)
			return true
		})
	}
	kept = without(command)
	for n, e := range kept {
		specs, ok := e.Value.(bson.A)
		if e.Key != "indexes" || !ok {
			continue
		}
		specs = slices.Clone(specs)
		for k, spec := range specs {
			if d, ok := spec.(bson.D); ok {
				specs[k] = without(d)
			}
		}
		kept[n].Value = specs
	}
	return kept, left
}
