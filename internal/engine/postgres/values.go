package postgres

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// firstUserOID is where types that a database made for itself begin.
const firstUserOID = 16384

// maxExactInteger is the largest integer that every JSON reader keeps exact.
const maxExactInteger = 1 << 53

// decoder turns a value's text form into what encodes as its JSON type.
type decoder func(text string) any

// decoderOf is the decoder of a type. elements are the element types of the
// array types that are not built in.
func decoderOf(oid uint32, elements map[uint32]uint32) decoder {
	if element, ok := elements[oid]; ok {
		of := decoderOf(element, nil)
		return func(text string) any { return decodeArray(text, of) }
	}
	switch oid {
	case pgtype.BoolOID:
		return func(text string) any { return text == "t" }
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		return decodeInteger
	case pgtype.Float4OID, pgtype.Float8OID:
		return decodeFloat
	case pgtype.ByteaOID:
		return decodeBytea
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return decodeTime
	case pgtype.JSONOID, pgtype.JSONBOID:
		return decodeJSON
	}
	return func(text string) any { return text }
}

func decodeInteger(text string) any {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > maxExactInteger || n < -maxExactInteger {
		return text
	}
	return n
}

// decodeFloat keeps the server's shortest exact digits; NaN and the infinities,
// which JSON lacks, stay text.
func decodeFloat(text string) any {
	if !json.Valid([]byte(text)) {
		return text
	}
	return json.Number(text)
}

// decodeBytea gives hex whatever bytea_output the query chose.
func decodeBytea(text string) any {
	if strings.HasPrefix(text, `\x`) {
		return text
	}
	var raw []byte
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			raw = append(raw, text[i])
		case strings.HasPrefix(text[i:], `\\`):
			raw = append(raw, '\\')
			i++
		default:
			n, err := strconv.ParseUint(text[min(i+1, len(text)):min(i+4, len(text))], 8, 8)
			if err != nil {
				return text
			}
			raw = append(raw, byte(n))
			i += 3
		}
	}
	return `\x` + hex.EncodeToString(raw)
}

// decodeTime gives RFC 3339 in UTC; a timestamp without zone is taken as UTC.
// What RFC 3339 can't say (infinity, years BC or beyond 9999) and other
// DateStyles stay text.
func decodeTime(text string) any {
	for _, layout := range []string{"2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07:00:00", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			if t = t.UTC(); t.Year() <= 9999 {
				return t.Format(time.RFC3339Nano)
			}
		}
	}
	return text
}

func decodeJSON(text string) any {
	if !json.Valid([]byte(text)) {
		return text
	}
	return json.RawMessage(text)
}

// elementTypes maps the array types among columns to their element types, a
// domain to the type beneath it. It asks the server only about types that are
// not built in; where the session is in no state to answer, their arrays stay
// text.
func elementTypes(ctx context.Context, conn *pgx.Conn, columns []column) map[uint32]uint32 {
	elements := map[uint32]uint32{}
	builtin := pgtype.NewMap()
	var own []uint32
	for _, c := range columns {
		if c.oid >= firstUserOID {
			own = append(own, c.oid)
			continue
		}
		if t, ok := builtin.TypeForOID(c.oid); ok {
			if array, ok := t.Codec.(*pgtype.ArrayCodec); ok && c.oid != pgtype.BoxArrayOID {
				elements[c.oid] = array.ElementType.OID
			}
		}
	}
	if len(own) == 0 {
		return elements
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	rows, err := conn.Query(ctx, `
		WITH RECURSIVE element AS (
			SELECT a.oid AS whole, e.oid, e.typtype, e.typbasetype, e.typdelim
			FROM pg_catalog.pg_type a JOIN pg_catalog.pg_type e ON e.oid OPERATOR(pg_catalog.=) a.typelem
			WHERE a.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[]) AND a.typcategory OPERATOR(pg_catalog.=) 'A'
			UNION ALL
			SELECT element.whole, b.oid, b.typtype, b.typbasetype, element.typdelim
			FROM element JOIN pg_catalog.pg_type b ON b.oid OPERATOR(pg_catalog.=) element.typbasetype
			WHERE element.typtype OPERATOR(pg_catalog.=) 'd')
		SELECT whole::pg_catalog.int8, oid::pg_catalog.int8 FROM element
		WHERE typtype OPERATOR(pg_catalog.<>) 'd' AND typdelim OPERATOR(pg_catalog.=) ','`, oids(own))
	if err != nil {
		return elements
	}
	var array, element int64
	// An error leaves the map as far as it came.
	_, _ = pgx.ForEachRow(rows, []any{&array, &element}, func() error {
		elements[uint32(array)] = uint32(element)
		return nil
	})
	return elements
}

// oids is an array literal: what QueryExecModeExec can send without a type.
func oids(of []uint32) string {
	texts := make([]string, len(of))
	for i, oid := range of {
		texts[i] = strconv.FormatUint(uint64(oid), 10)
	}
	return "{" + strings.Join(texts, ",") + "}"
}
