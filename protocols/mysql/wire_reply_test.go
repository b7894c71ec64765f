package mysql

import (
	"encoding/binary"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// reply reads what answers a command, by the grammar of results: K OK, E ERR,
// C column count, D definition, F the EOF behind definitions, R row, Z the end
// of rows, P progress, L file request.
func (w *wire) reply() (kinds string, all []packet) {
	w.t.Helper()
	for {
		k, part, moreResults := w.result()
		kinds, all = kinds+k, append(all, part...)
		if !moreResults {
			return kinds, all
		}
	}
}

func (w *wire) result() (kinds string, all []packet, moreResults bool) {
	w.t.Helper()
	take := func(kind string) packet {
		p := w.read()
		if p.isError() {
			kind = "E"
		}
		kinds, all = kinds+kind, append(all, p)
		return p
	}
	first := take("C")
	for first.isError() && first.number() == 0xffff {
		kinds, all = kinds[:len(kinds)-1], all[:len(all)-1]
		first = take("C")
	}
	switch first.payload[0] {
	case 0xff:
		return kinds, all, false
	case 0:
		return kinds[:len(kinds)-1] + "K", all, okStatus(first.payload)&mysql.SERVER_MORE_RESULTS_EXISTS != 0
	case 0xfb:
		return kinds[:len(kinds)-1] + "L", all, false
	}
	columns := int(first.payload[0])
	if w.capabilities&mysql.CLIENT_OPTIONAL_RESULTSET_METADATA != 0 && len(first.payload) > 1 {
		columns = int(first.payload[1]) // behind the flag
	}
	for range columns {
		if take("D").isError() {
			return kinds, all, false
		}
	}
	if w.capabilities&mysql.CLIENT_DEPRECATE_EOF == 0 {
		between := take("F")
		if between.isError() || eofStatus(between.payload)&mysql.SERVER_STATUS_CURSOR_EXISTS != 0 {
			return kinds, all, false
		}
	}
	k, rows, moreResults := w.rows()
	return kinds + k, append(all, rows...), moreResults
}

// rows reads rows up to their end.
func (w *wire) rows() (kinds string, all []packet, moreResults bool) {
	w.t.Helper()
	for {
		p := w.read()
		all = append(all, p)
		switch {
		case p.isError():
			return kinds + "E", all, false
		case p.payload[0] != 0xfe || len(p.payload) >= 1<<24-1 || w.capabilities&mysql.CLIENT_DEPRECATE_EOF == 0 && len(p.payload) > 5:
			kinds += "R"
			continue
		}
		status := eofStatus(p.payload)
		if w.capabilities&mysql.CLIENT_DEPRECATE_EOF != 0 {
			status = okStatus(p.payload)
		}
		return kinds + "Z", all, status&mysql.SERVER_MORE_RESULTS_EXISTS != 0
	}
}

// ask sends a query and reads its reply.
func (w *wire) ask(text string) (kinds string, all []packet) {
	w.t.Helper()
	w.query(text)
	return w.reply()
}

// usable asserts that the session goes on.
func (w *wire) usable() {
	w.t.Helper()
	kinds, all := w.ask("select 'alive'")
	if !strings.HasPrefix(kinds, "CD") || !strings.HasSuffix(kinds, "RZ") || len(kinds) > 5 {
		w.t.Errorf("the session afterwards: got %s %q, want a row", kinds, all[len(all)-1].payload)
	}
}

// prepare gives the number of a prepared statement.
func (w *wire) prepare(text string) uint32 {
	w.t.Helper()
	w.send(mysql.COM_STMT_PREPARE, []byte(text))
	return w.prepared()
}

// prepared reads the reply to a COM_STMT_PREPARE.
func (w *wire) prepared() uint32 {
	w.t.Helper()
	p := w.read()
	if p.isError() {
		w.t.Fatalf("prepare: %d %s", p.number(), p.text())
	}
	columns, params := binary.LittleEndian.Uint16(p.payload[5:]), binary.LittleEndian.Uint16(p.payload[7:])
	for _, n := range []uint16{params, columns} {
		if n > 0 && w.capabilities&mysql.CLIENT_DEPRECATE_EOF == 0 {
			n++
		}
		for range n {
			w.read()
		}
	}
	return binary.LittleEndian.Uint32(p.payload[1:])
}

// execute runs a prepared statement without parameters.
func (w *wire) execute(id uint32, flags byte) {
	w.t.Helper()
	w.send(mysql.COM_STMT_EXECUTE, u32(id), []byte{flags}, u32(1))
}

func (w *wire) fetch(id uint32, rows uint32) (kinds string, all []packet) {
	w.t.Helper()
	w.send(mysql.COM_STMT_FETCH, u32(id), u32(rows))
	kinds, all, _ = w.rows()
	return kinds, all
}

func u32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func with(flags uint32) func(*identity) {
	return func(i *identity) { i.capabilities |= flags }
}
