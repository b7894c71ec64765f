package mongodb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// compressor is one of OP_COMPRESSED's methods, by its number on the wire.
type compressor byte

const (
	noCompressor compressor = 0
	snappyMethod compressor = 1
	zlibMethod   compressor = 2
	zstdMethod   compressor = 3
)

// compressorNamed is a method by its name in hello; 0 for one we don't have.
func compressorNamed(name []byte) compressor {
	switch string(name) {
	case "snappy":
		return snappyMethod
	case "zlib":
		return zlibMethod
	case "zstd":
		return zstdMethod
	}
	return noCompressor
}

// Of how much a byte can become at most: what claims more is no such stream.
const (
	snappyRatio = 32
	zlibRatio   = 1040
)

const compressedHead = headerSize + 9

var errCompressed = errors.New("compressed message is not what it says it is")

// codecs are what all sessions compress with. None of them has a goroutine.
type codecs struct {
	decoder func() (*zstd.Decoder, error)
	encoder func() (*zstd.Encoder, error)
	writers sync.Pool // of *zlib.Writer
}

func newCodecs() *codecs {
	return &codecs{
		decoder: sync.OnceValues(func() (*zstd.Decoder, error) {
			return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxMessage), zstd.WithDecoderLowmem(true))
		}),
		encoder: sync.OnceValues(func() (*zstd.Encoder, error) {
			return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
		}),
	}
}

// unpack is the OP_MSG in the OP_COMPRESSED that is all of b. What it claims to
// hold is bounded before anything is allocated, and must be what it holds.
func (c *codecs) unpack(b []byte, h header) ([]byte, compressor, error) {
	if len(b) < compressedHead {
		return nil, 0, protocolError("OP_COMPRESSED is too short")
	}
	opcode := int32(binary.LittleEndian.Uint32(b[headerSize:]))
	size := int32(binary.LittleEndian.Uint32(b[headerSize+4:]))
	method := compressor(b[headerSize+8])
	if opcode != opMsg {
		return nil, 0, protocolError(fmt.Sprintf("OP_COMPRESSED of opcode %d", opcode))
	}
	if size < 5 || size > maxMessage-headerSize {
		return nil, 0, protocolError(fmt.Sprintf("OP_COMPRESSED of %d bytes", size))
	}
	h.length, h.opcode = headerSize+size, opMsg
	out, err := c.inflate(method, h, b[compressedHead:], int(size))
	if err != nil {
		return nil, 0, protocolError("OP_COMPRESSED: " + err.Error())
	}
	return out, method, nil
}

// inflate is a message of header h with the size bytes that packed holds.
func (c *codecs) inflate(method compressor, h header, packed []byte, size int) ([]byte, error) {
	whole := func() []byte { return appendHeader(make([]byte, 0, headerSize+size), h) }
	switch method {
	case noCompressor:
		if len(packed) != size {
			return nil, errCompressed
		}
		return append(whole(), packed...), nil
	case snappyMethod:
		n, err := snappy.DecodedLen(packed)
		if err != nil || n != size || size > snappyRatio*len(packed) {
			return nil, errCompressed
		}
		out := whole()[:headerSize+size]
		if _, err := snappy.Decode(out[headerSize:], packed); err != nil {
			return nil, errCompressed
		}
		return out, nil
	case zlibMethod:
		if size > zlibRatio*len(packed) {
			return nil, errCompressed
		}
		return inflateZlib(whole(), packed, size)
	case zstdMethod:
		decoder, err := c.decoder()
		if err != nil {
			return nil, err
		}
		out, err := decoder.DecodeAll(packed, appendHeader(nil, h))
		if err != nil || len(out) != headerSize+size {
			return nil, errCompressed
		}
		return out, nil
	}
	return nil, fmt.Errorf("unknown method %d", method)
}

func inflateZlib(out, packed []byte, size int) ([]byte, error) {
	in, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errCompressed
	}
	defer in.Close()
	out = out[:headerSize+size]
	if _, err := io.ReadFull(in, out[headerSize:]); err != nil {
		return nil, errCompressed
	}
	var beyond [1]byte
	if n, err := in.Read(beyond[:]); n != 0 || !errors.Is(err, io.EOF) {
		return nil, errCompressed
	}
	return out, nil
}

// appendPacked is the message that is all of b as OP_COMPRESSED.
func (c *codecs) appendPacked(dst []byte, method compressor, b []byte) ([]byte, error) {
	begin := len(dst)
	h, err := readHeader(b, maxReply)
	if err != nil {
		return dst, err
	}
	payload := b[headerSize:]
	dst = appendHeader(dst, header{0, h.requestID, h.responseTo, opCompressed})
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.opcode))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload)))
	dst = append(dst, byte(method))
	switch method {
	case noCompressor:
		dst = append(dst, payload...)
	case snappyMethod:
		at := len(dst)
		dst = slices.Grow(dst, snappy.MaxEncodedLen(len(payload)))
		packed := snappy.Encode(dst[at:cap(dst)], payload)
		dst = dst[:at+len(packed)]
	case zstdMethod:
		encoder, err := c.encoder()
		if err != nil {
			return dst, fmt.Errorf("zstd: %w", err)
		}
		dst = encoder.EncodeAll(payload, dst)
	case zlibMethod:
		if dst, err = c.deflate(dst, payload); err != nil {
			return dst, err
		}
	}
	binary.LittleEndian.PutUint32(dst[begin:], uint32(len(dst)-begin))
	return dst, nil
}

func (c *codecs) deflate(dst, payload []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	w, _ := c.writers.Get().(*zlib.Writer)
	if w == nil {
		w = zlib.NewWriter(out)
	} else {
		w.Reset(out)
	}
	defer c.writers.Put(w)
	if _, err := w.Write(payload); err != nil {
		return dst, fmt.Errorf("deflate: %w", err)
	}
	if err := w.Close(); err != nil {
		return dst, fmt.Errorf("deflate: %w", err)
	}
	return out.Bytes(), nil
}
