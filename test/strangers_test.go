package test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The worst that a proxy can do is to give a client what another one asked for.
// So many clients at once come and go, most of them rudely: they leave in the
// middle of an answer, give up a statement that runs, cancel one that has just
// ended. Each asks for what only it can know, and whoever takes over its
// connection to the server must find nothing of it.

const (
	strangersAtOnce  = 12
	strangersComing  = 15 // one after the other, for each of those at once
	strangerQuestion = 4
	strangerRows     = 400
)

// stranger is one client from its login to its end.
type stranger struct {
	tag    string // nobody else has it
	random *rand.Rand
}

// strangers has many of them live at once, over and over.
func strangers(t *testing.T, live func(ctx context.Context, s stranger) error) {
	t.Helper()
	seed := testSeed(t)
	ctx, done := context.WithTimeout(t.Context(), 10*time.Minute)
	defer done()
	var all sync.WaitGroup
	for worker := range strangersAtOnce {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(worker)))
			for n := range strangersComing {
				s := stranger{fmt.Sprintf("stranger-%d-%d", worker, n), random}
				if err := live(ctx, s); err != nil {
					t.Errorf("%s: %v", s.tag, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// own says what is wrong with rows that should be tag:1, tag:2, …; want is how
// many there must be, -1 where the client left before the last.
func (s stranger) own(rows []string, want int) error {
	for i, row := range rows {
		if mine := fmt.Sprintf("%s:%d", s.tag, i+1); row != mine {
			return fmt.Errorf("row %d: got %.200q, want %q", i+1, row, mine)
		}
	}
	if want >= 0 && len(rows) != want {
		return fmt.Errorf("got %d rows, want %d", len(rows), want)
	}
	return nil
}

func TestStrangersNeverMeetOnPostgreSQL(t *testing.T) {
	workspaces := []login{shared.workspace(t, "strangers-a", "tenant").login(t), shared.workspace(t, "strangers-b", "control").login(t)}
	strangers(t, func(ctx context.Context, s stranger) error {
		l := workspaces[s.random.IntN(2)]
		conn, err := pgx.Connect(ctx, l.dsn())
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer conn.Close(context.WithoutCancel(ctx))
		var database, left string
		err = conn.QueryRow(ctx, "SELECT current_database(), coalesce(current_setting('strangers.tag', true), '')").Scan(&database, &left)
		if err != nil || database != l.database || left != "" {
			return fmt.Errorf("at the start: database %q, left behind %q, %w", database, left, err)
		}
		if _, err := conn.Exec(ctx, "SELECT set_config('strangers.tag', $1, false), pg_advisory_lock(hashtext($1))", s.tag); err != nil {
			return fmt.Errorf("leave something behind: %w", err)
		}
		const question = "SELECT $1::text || ':' || i FROM generate_series(1, $2::int) i ORDER BY i"
		for range strangerQuestion {
			if s.random.IntN(3) == 0 {
				// It comes when nothing runs any more, or hits the next one.
				if err := conn.PgConn().CancelRequest(ctx); err != nil {
					return fmt.Errorf("cancel: %w", err)
				}
			}
			rows, err := conn.Query(ctx, question, s.tag, strangerRows)
			if err != nil {
				return fmt.Errorf("ask: %w", err)
			}
			answer, err := pgx.CollectRows(rows, pgx.RowTo[string])
			want := strangerRows
			if err != nil && strings.Contains(err.Error(), "57014") {
				want, err = -1, nil
			}
			if err != nil {
				return fmt.Errorf("ask: %w", err)
			}
			if err := s.own(answer, want); err != nil {
				return err
			}
		}
		switch s.random.IntN(4) {
		case 0: // politely
		case 1: // within an answer
			rows, err := conn.Query(ctx, question, s.tag, 9000)
			if err != nil || !rows.Next() {
				return fmt.Errorf("begin an answer: %w", err)
			}
			conn.PgConn().Conn().Close()
			rows.Close()
		case 2: // while it waits
			short, done := context.WithTimeout(ctx, 20*time.Millisecond)
			defer done()
			_, _ = conn.Exec(short, "SELECT pg_sleep(60)") // the end of its time is what is wanted
		case 3: // with a transaction open
			if _, err := conn.Exec(ctx, "BEGIN; CREATE TEMP TABLE mine (i int)"); err != nil {
				return fmt.Errorf("begin: %w", err)
			}
			conn.PgConn().Conn().Close()
		}
		return nil
	})
}

func TestStrangersNeverMeetOnMySQL(t *testing.T) {
	pools := []*sql.DB{}
	names := []string{}
	for _, name := range []string{"my-strangers-a", "my-strangers-b"} {
		l := shared.mysqlDatabase(t, name, "tenant").login()
		pool := l.pool(t, func(c *mysql.Config) { c.InterpolateParams = name == "my-strangers-a" })
		pool.SetMaxIdleConns(-1)
		pools, names = append(pools, pool), append(names, l.database)
	}
	strangers(t, func(ctx context.Context, s stranger) error {
		which := s.random.IntN(2)
		conn, err := pools[which].Conn(ctx)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer conn.Close()
		var database string
		var left sql.NullString
		err = conn.QueryRowContext(ctx, "SELECT DATABASE(), @tag").Scan(&database, &left)
		if err != nil || database != names[which] || left.Valid {
			return fmt.Errorf("at the start: database %q, left behind %q, %w", database, left.String, err)
		}
		if _, err := conn.ExecContext(ctx, "SET @tag = ?", s.tag); err != nil {
			return fmt.Errorf("leave something behind: %w", err)
		}
		const question = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT CONCAT(?, ':', i) FROM n"
		for range strangerQuestion {
			answer, err := column(conn, question, strangerRows, s.tag)
			if err != nil {
				return fmt.Errorf("ask: %w", err)
			}
			if err := s.own(answer, strangerRows); err != nil {
				return err
			}
		}
		switch s.random.IntN(3) {
		case 0: // politely
		case 1: // within an answer
			leaving, leave := context.WithCancel(ctx)
			rows, err := conn.QueryContext(leaving, question, 900, s.tag)
			if err != nil || !rows.Next() {
				leave()
				return fmt.Errorf("begin an answer: %w", err)
			}
			leave()
			rows.Close()
		case 2: // while it waits
			short, done := context.WithTimeout(ctx, 20*time.Millisecond)
			defer done()
			_, _ = conn.ExecContext(short, "DO SLEEP(60)") // the end of its time is what is wanted
		}
		return nil
	})
}

func TestStrangersNeverMeetOnRedis(t *testing.T) {
	all := []*goredis.Options{}
	for _, name := range []string{"strangers-c", "strangers-d"} {
		o := shared.redisOptions(t, shared.redisAddress(t, name, nil))
		o.PoolSize, o.MaxRetries, o.ContextTimeoutEnabled = 1, -1, true
		all = append(all, o)
	}
	strangers(t, func(ctx context.Context, s stranger) error {
		which := s.random.IntN(2)
		o := *all[which]
		o.Protocol = 2 + s.random.IntN(2)
		client := goredis.NewClient(&o)
		defer client.Close()
		conn := client.Conn()
		defer conn.Close()
		if name, err := conn.ClientGetName(ctx).Result(); err != nil && err != goredis.Nil || name != "" {
			return fmt.Errorf("at the start: left behind %q, %w", name, err)
		}
		if err := conn.Do(ctx, "CLIENT", "SETNAME", s.tag).Err(); err != nil {
			return fmt.Errorf("leave something behind: %w", err)
		}
		for range strangerQuestion {
			var echoes []*goredis.Cmd
			_, err := conn.Pipelined(ctx, func(p goredis.Pipeliner) error {
				p.Del(ctx, s.tag)
				for i := range strangerRows {
					echoes = append(echoes, p.Do(ctx, "ECHO", fmt.Sprintf("%s:%d", s.tag, i+1)))
					p.RPush(ctx, s.tag, fmt.Sprintf("%s:%d", s.tag, i+1))
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("ask: %w", err)
			}
			var answer []string
			for _, echo := range echoes {
				text, _ := echo.Text()
				answer = append(answer, text)
			}
			if err := s.own(answer, strangerRows); err != nil {
				return fmt.Errorf("echoes: %w", err)
			}
			list, err := conn.LRange(ctx, s.tag, 0, -1).Result()
			if err != nil {
				return fmt.Errorf("ask: %w", err)
			}
			if err := s.own(list, strangerRows); err != nil {
				return fmt.Errorf("list: %w", err)
			}
		}
		short, done := context.WithTimeout(ctx, 20*time.Millisecond)
		defer done()
		switch s.random.IntN(4) {
		case 0: // politely
		case 1: // while it waits
			_ = conn.BLPop(short, 0, s.tag+"-nothing").Err() // the end of its time is what is wanted
		case 2: // within a transaction
			_, _ = conn.Do(ctx, "WATCH", s.tag).Err(), conn.Do(ctx, "MULTI").Err()
		case 3: // within an answer, or before
			_ = conn.Eval(short, "local t = {} for i = 1, 200000 do t[i] = ARGV[1] end return t", nil, s.tag).Err()
		}
		return nil
	})
}

func TestStrangersNeverMeetOnMongoDB(t *testing.T) {
	workspaces := []string{shared.mongoAddress(t, "strangers-e", "tenant", nil), shared.mongoAddress(t, "strangers-f", "control", nil)}
	a, b := mongoClient(t, workspaces[0]), mongoClient(t, workspaces[1])
	strangers(t, func(ctx context.Context, s stranger) error {
		db := a
		if s.random.IntN(2) == 1 {
			db = b
		}
		var documents []any
		for i := range 40 {
			documents = append(documents, bson.D{{Key: "_id", Value: fmt.Sprintf("%s:%d", s.tag, i+1)}, {Key: "tag", Value: s.tag}})
		}
		people := db.Collection("people" + s.tag[len(s.tag)-1:])
		if _, err := people.InsertMany(ctx, documents); err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		for range 2 {
			found, err := people.Find(ctx, bson.D{{Key: "tag", Value: s.tag}}, options.Find().SetBatchSize(7))
			if err != nil {
				return fmt.Errorf("find: %w", err)
			}
			var answer []struct {
				ID string `bson:"_id"`
			}
			if err := found.All(ctx, &answer); err != nil {
				return fmt.Errorf("read: %w", err)
			}
			var ids []string
			for _, document := range answer {
				ids = append(ids, document.ID)
			}
			if err := s.own(ids, 40); err != nil {
				return err
			}
		}
		short, done := context.WithTimeout(ctx, time.Duration(s.random.IntN(20)+1)*time.Millisecond)
		defer done()
		if found, err := people.Find(short, bson.D{}, options.Find().SetBatchSize(2)); err == nil {
			var all []bson.D
			_ = found.All(short, &all) // the end of its time is what is wanted
		}
		return nil
	})
}
