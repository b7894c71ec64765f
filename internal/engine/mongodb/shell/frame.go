package shell

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxFrame is the longest document that parent and child send each other; it
// bounds a command, a reply and a result.
const maxFrame = 64 << 20

// maxNested bounds how deep the documents of a frame are nested. Servers take
// 100 levels; ours are around what a server sent.
const maxNested = 200

// errTooLong is a document beyond maxFrame.
var errTooLong = errors.New("document is too long")

// errTooDeep is a document beyond maxNested.
var errTooDeep = errors.New("document is nested too deep")

// order is the first frame: what the child is to do.
type order struct {
	Text     string `bson:"text"`
	Database string `bson:"database"`
	Parent   int    `bson:"parent"` // process id of who waits for the answer
	// Fixed are the commands that change the schema, where scripts may not.
	Fixed []string `bson:"fixed"`
}

// report is what the child sends: a command to be run, or its end.
type report struct {
	Run     bson.Raw `bson:"run,omitempty"`
	Outcome *ending  `bson:"outcome,omitempty"`
	Failure *Failure `bson:"failure,omitempty"`
	// SchemaFixed: it was not run, since it would change the schema.
	SchemaFixed bool `bson:"schema_fixed,omitempty"`
}

// ending is an Outcome as it is sent.
type ending struct {
	None     bool          `bson:"none"`
	List     bool          `bson:"list"`
	Value    bson.RawValue `bson:"value"`
	Affected *int64        `bson:"affected"`
	Output   []string      `bson:"output"`
}

// writeFrame sends one document. Its length is its own first four bytes.
func writeFrame(w io.Writer, v any) error {
	data, err := bson.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	if len(data) > maxFrame {
		return errTooLong
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// readFrame reads one document into v.
func readFrame(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	length := binary.LittleEndian.Uint32(head[:])
	if length < 5 || length > maxFrame {
		return errTooLong
	}
	data := make([]byte, length)
	copy(data, head[:])
	if _, err := io.ReadFull(r, data[len(head):]); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	if err := validate(data, maxNested); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	if err := bson.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode frame: %w", err)
	}
	return nil
}

// validate checks a document with all that is nested in it. The driver's own
// check stops at the first level, and its decoder never ends where a value that
// it skips has a negative length.
func validate(document bson.Raw, depth int) error {
	if depth == 0 {
		return errTooDeep
	}
	if err := document.Validate(); err != nil {
		return err
	}
	elements, err := document.Elements()
	if err != nil {
		return err
	}
	for _, e := range elements {
		var nested bson.Raw
		switch v := e.Value(); v.Type {
		case bson.TypeEmbeddedDocument, bson.TypeArray:
			nested = v.Value
		case bson.TypeCodeWithScope:
			_, scope, ok := v.CodeWithScopeOK()
			if !ok {
				return errors.New("code with scope is malformed")
			}
			nested = scope
		default:
			continue
		}
		if err := validate(nested, depth-1); err != nil {
			return err
		}
	}
	return nil
}
