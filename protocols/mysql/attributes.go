package mysql

import "github.com/go-mysql-org/go-mysql/mysql"

// queryText is the text of a COM_QUERY behind the command's byte, without a
// copy: it must not be kept. Where the client may send query attributes they
// come before it
// (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html).
// Attributes that can't be read leave all of it for the text.
func (c capabilities) queryText(payload []byte) []byte {
	if !c.has(mysql.CLIENT_QUERY_ATTRIBUTES) {
		return payload
	}
	f := fields{b: payload}
	n := f.lenenc()
	f.lenenc() // sets of attributes, always one
	if n > 0 {
		skipAttributes(&f, n)
	}
	if f.bad {
		return payload
	}
	return f.b
}

// skipAttributes reads over n attributes: which are null, their types and
// names, their values.
func skipAttributes(f *fields, n uint64) {
	if n > uint64(len(f.b)) {
		f.bad = true
		return
	}
	null := f.take(int(n+7) / 8)
	if f.byte() != 1 { // types follow
		f.bad = true
		return
	}
	types := make([]byte, n)
	for i := range types {
		types[i] = byte(f.uint16())
		f.lenencBytes() // name
	}
	for i, typ := range types {
		if f.bad || null[i/8]&(1<<(i%8)) == 0 {
			skipValue(f, typ)
		}
	}
}

// skipValue reads over one value in the binary protocol.
func skipValue(f *fields, typ byte) {
	switch typ {
	case mysql.MYSQL_TYPE_NULL:
	case mysql.MYSQL_TYPE_TINY:
		f.take(1)
	case mysql.MYSQL_TYPE_SHORT, mysql.MYSQL_TYPE_YEAR:
		f.take(2)
	case mysql.MYSQL_TYPE_LONG, mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_FLOAT:
		f.take(4)
	case mysql.MYSQL_TYPE_LONGLONG, mysql.MYSQL_TYPE_DOUBLE:
		f.take(8)
	case mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIMESTAMP, mysql.MYSQL_TYPE_TIME:
		f.take(int(f.byte()))
	default:
		f.lenencBytes()
	}
}
