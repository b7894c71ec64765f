package mysql

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
)

const (
	// maxExactInteger is the largest integer that every JSON reader keeps exact.
	maxExactInteger = 1 << 53
	// binaryCharset is the number of the character set of bytes.
	binaryCharset = 63
)

// decoder turns a value's text form into what encodes as its JSON type.
type decoder func(text []byte) any

// zone is where the session's timestamps are; nil where that is not known.
type zone *time.Location

// decoderOf is the decoder of a column.
func decoderOf(f *gomysql.Field, z zone) decoder {
	switch f.Type {
	case gomysql.MYSQL_TYPE_TINY, gomysql.MYSQL_TYPE_SHORT, gomysql.MYSQL_TYPE_INT24, gomysql.MYSQL_TYPE_LONG,
		gomysql.MYSQL_TYPE_LONGLONG, gomysql.MYSQL_TYPE_YEAR:
		return decodeInteger
	case gomysql.MYSQL_TYPE_FLOAT, gomysql.MYSQL_TYPE_DOUBLE:
		return decodeFloat
	case gomysql.MYSQL_TYPE_DATETIME, gomysql.MYSQL_TYPE_DATETIME2:
		return func(text []byte) any { return decodeTime(text, time.UTC) }
	case gomysql.MYSQL_TYPE_TIMESTAMP, gomysql.MYSQL_TYPE_TIMESTAMP2:
		if z == nil {
			return decodeText
		}
		return func(text []byte) any { return decodeTime(text, z) }
	case gomysql.MYSQL_TYPE_JSON:
		return decodeJSON
	case gomysql.MYSQL_TYPE_BIT:
		return decodeBits
	case gomysql.MYSQL_TYPE_GEOMETRY:
		return decodeBytes
	case gomysql.MYSQL_TYPE_VARCHAR, gomysql.MYSQL_TYPE_VAR_STRING, gomysql.MYSQL_TYPE_STRING, gomysql.MYSQL_TYPE_TINY_BLOB,
		gomysql.MYSQL_TYPE_MEDIUM_BLOB, gomysql.MYSQL_TYPE_LONG_BLOB, gomysql.MYSQL_TYPE_BLOB:
		if f.Charset == binaryCharset {
			return decodeBytes
		}
	}
	return decodeText
}

func decodeText(text []byte) any { return string(text) }

func decodeInteger(text []byte) any {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n > maxExactInteger || n < -maxExactInteger {
		return string(text)
	}
	return n
}

func decodeFloat(text []byte) any {
	if !json.Valid(text) {
		return string(text)
	}
	return json.Number(text)
}

func decodeBytes(b []byte) any { return `\x` + hex.EncodeToString(b) }

// decodeBits gives the number that the bits are; more than 53 of them are text.
func decodeBits(b []byte) any {
	var n uint64
	for _, octet := range b {
		n = n<<8 | uint64(octet)
	}
	if n > maxExactInteger {
		return strconv.FormatUint(n, 10)
	}
	return int64(n)
}

// decodeTime gives RFC 3339 in UTC; a DATETIME, which has no zone, is taken as
// UTC. What is no time ('0000-00-00 00:00:00') stays text.
func decodeTime(text []byte, in *time.Location) any {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", string(text), in)
	if err != nil {
		return string(text)
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func decodeJSON(text []byte) any {
	if !json.Valid(text) {
		return string(text)
	}
	return json.RawMessage(text)
}

// sessionZone is the zone of the session's timestamps, asked for only where
// there are any.
func sessionZone(ctx context.Context, c *conn, fields []*gomysql.Field) zone {
	if !slices.ContainsFunc(fields, func(f *gomysql.Field) bool {
		return f.Type == gomysql.MYSQL_TYPE_TIMESTAMP || f.Type == gomysql.MYSQL_TYPE_TIMESTAMP2
	}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	row, err := c.row(ctx, "SELECT IF(@@session.time_zone = 'SYSTEM', @@system_time_zone, @@session.time_zone)")
	if err != nil {
		return nil
	}
	name := string(row[0])
	if t, err := time.Parse("-07:00", name); err == nil && strings.Contains(name, ":") {
		return t.Location()
	}
	if location, err := time.LoadLocation(name); err == nil {
		return location
	}
	return nil
}
