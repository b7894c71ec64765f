package redis

import (
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// maxExactInteger is the largest integer that every JSON reader keeps exact.
const maxExactInteger = 1 << 53

// resultOf is the reply as rows of one column.
func resultOf(reply any) workspace.Result {
	result := workspace.Result{Columns: []string{"result"}, Rows: [][]any{}}
	elements, many := reply.([]any)
	if !many {
		elements = []any{reply}
	}
	for _, element := range elements {
		result.Rows = append(result.Rows, []any{valueOf(element)})
	}
	result.RowCount = int64(len(result.Rows))
	return result
}

// valueOf is a reply as what encodes as its JSON type; an error inside of an
// array (EXEC's) is an object with its text.
func valueOf(reply any) any {
	switch v := reply.(type) {
	case []any:
		values := make([]any, len(v))
		for i, element := range v {
			values[i] = valueOf(element)
		}
		return values
	case string:
		return textOf(v)
	case int64:
		return integerOf(v)
	case error:
		return map[string]string{"error": v.Error()}
	}
	return reply
}

// textOf gives hex for what is no text, as other databases' binary values.
func textOf(v string) string {
	if utf8.ValidString(v) {
		return v
	}
	return `\x` + hex.EncodeToString([]byte(v))
}

func integerOf(n int64) any {
	if n > maxExactInteger || n < -maxExactInteger {
		return strconv.FormatInt(n, 10)
	}
	return n
}
