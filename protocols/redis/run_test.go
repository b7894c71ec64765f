package redis

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestACommandLikeTheLastIsReadAsAnyOther feeds the same commands to a relay in
// one pipeline, and to one that has forgotten the last command each time.
func TestACommandLikeTheLastIsReadAsAnyOther(t *testing.T) {
	lines := [][]string{
		{"GET", "k"}, {"get", "k"}, {"GET", "another"}, {"GET"}, {"GETSET", "k", "v"}, {"SET", "k", "v"}, {"SET", "k", "v", "KEEPTTL"},
		{"SET", "k", strings.Repeat("v", 3000)}, {"INCR", "n"}, {"SELECT", "9"}, {"SELECT", "0"}, {"CLIENT", "ID"}, {"CLIENT", "KILL", "x"},
		{"MULTI"}, {"DISCARD"}, {"SUBSCRIBE", "c"}, {"PUBLISH", "c", "m"}, {"NOSUCH", "a"}, {"NOSUCH", "a", "b"},
		{strings.Repeat("n", maxName), "a"}, {strings.Repeat("n", maxName+1), "a"}, {"BLPOP", "l", "0"}, {"HSET", "h", "f", "v"},
	}
	for _, settings := range []workspace.Settings{{}, {DefaultTTL: 9}} {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 1))
		whole, wholeTo := newBench(settings)
		alone, aloneTo := newBench(settings)
		whole.protocol.config.Admin, alone.protocol.config.Admin = nil, nil
		var pipeline []byte
		for range 400 {
			line := appendCommand(nil, lines[random.IntN(len(lines))]...)
			for range 1 + random.IntN(4) {
				pipeline = append(pipeline, line...)
				alone.again.size = 0
				if err := alone.feed(line); err != nil {
					t.Fatalf("seed %d: %q: %v", seed, line, err)
				}
			}
		}
		if err := whole.feed(pipeline); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !bytes.Equal(wholeTo.Bytes(), aloneTo.Bytes()) || whole.owed.n != alone.owed.n {
			t.Errorf("seed %d: the pipeline came out differently: %d bytes and %d replies owed, want %d and %d",
				seed, wholeTo.Len(), whole.owed.n, aloneTo.Len(), alone.owed.n)
		}
	}
}

func TestTheLastCommandIsFoundAgainByItsBeginning(t *testing.T) {
	r, _ := newBench(workspace.Settings{})
	line := appendCommand(nil, "GET", "key")
	if err := r.feed(line); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"*3\r\n$3\r\nGET\r\n", "*2\r\n$3\r\nget\r\n", "*2\r\n$3\r\nGE", "*2\r\n$4\r\nGETS\r\n"} {
		if r.again.begins([]byte(other)) {
			t.Errorf("%q begins as %q", other, line)
		}
	}
	next := append([]byte("before"), appendCommand(nil, "GET", "another")...)
	if !r.again.begins(next[6:]) {
		t.Fatalf("%q does not begin as %q", next[6:], line)
	}
	q := r.again.request(next, 6, nil)
	if len(q.args) != 1 || string(q.args[0]) != "GET" || q.n != 2 || !bytes.HasPrefix(next[q.start+q.size:], []byte("$7\r\nanother")) {
		t.Errorf("got %+v with %q", q, q.args)
	}
}

// TestARunOfRepliesPassesAsItIs gives replies of all types whole, and byte by
// byte, while a number of plain ones is owed.
func TestARunOfRepliesPassesAsItIs(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		var sent []byte
		n := 1 + random.IntN(20)
		for range n {
			sent = append(sent, repliesOfAllTypes[random.IntN(len(repliesOfAllTypes))]...)
		}
		for _, piece := range []int{len(sent), 1, 7} {
			r, _ := newBench(workspace.Settings{})
			r.owed.push(reply{kind: passed, n: int32(n)})
			var out bytes.Buffer
			for part := range slices.Chunk(sent, piece) {
				if err := r.answer(&out, part); err != nil {
					t.Fatalf("seed %d: %q in pieces of %d: %v", seed, sent, piece, err)
				}
			}
			if !bytes.Equal(out.Bytes(), sent) || r.owed.n != 0 || r.owed.len != 0 {
				t.Fatalf("seed %d: %q in pieces of %d: got %q, %d still owed", seed, sent, piece, out.Bytes(), r.owed.n)
			}
		}
	}
}

// answer gives the backend's direction bytes, and out what the client gets.
func (r *relay) answer(out *bytes.Buffer, part []byte) error {
	if err := r.fromBackend.Fill(bytes.NewReader(part)); err != nil {
		return err
	}
	b := r.fromBackend.Bytes()
	pos, need, limit, err := r.scanBackend(b)
	if err != nil {
		return err
	}
	if err := r.replies.write(out, b, pos); err != nil {
		return err
	}
	r.fromBackend.Discard(pos)
	r.replies.from = 0
	return hold(&r.fromBackend, need, limit)
}
