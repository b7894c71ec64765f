package redis

import (
	"slices"
	"strconv"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tidwall/redcon"
)

// rules are a workspace's settings for keys, compiled.
type rules struct {
	maxKeys    int64
	defaultTTL int64 // seconds; 0: none
	patterns   []rule
	packed     []byte // default_ttl and patterns for scripts
}

// rule is one pattern.
type rule struct {
	pattern []byte
	literal int // length before its first special character
	ttl     int64
}

// exact says that the pattern matches itself only.
func (r *rule) exact() bool { return r.literal == len(r.pattern) }

// compile makes the rules of s; nil where there is none to follow. The most
// specific pattern comes first: the one with the longest literal prefix, then
// one that is all literal, then the longest, then the first in byte order.
func compile(s *workspace.KeyRules) *rules {
	r := &rules{maxKeys: s.MaxKeys, defaultTTL: s.DefaultTTL}
	for pattern, p := range s.Patterns {
		r.patterns = append(r.patterns, rule{[]byte(pattern), literalPrefix(pattern), p.TTL})
	}
	if !r.expires() && r.maxKeys == 0 {
		return nil
	}
	slices.SortFunc(r.patterns, func(a, b rule) int {
		switch {
		case a.literal != b.literal:
			return b.literal - a.literal
		case a.exact() != b.exact():
			if a.exact() {
				return -1
			}
			return 1
		case len(a.pattern) != len(b.pattern):
			return len(b.pattern) - len(a.pattern)
		}
		return slices.Compare(a.pattern, b.pattern)
	})
	r.packed = r.pack()
	return r
}

// expires says whether any key gets an expiry.
func (r *rules) expires() bool {
	return r.defaultTTL > 0 || slices.ContainsFunc(r.patterns, func(p rule) bool { return p.ttl > 0 })
}

// ttl is the seconds that a new key without an expiry may live; 0: for ever.
func (r *rules) ttl(key []byte) int64 {
	for _, p := range r.patterns {
		if string(p.pattern) == "*" || match(p.pattern, key) {
			return p.ttl
		}
	}
	return r.defaultTTL
}

// How a new key gets its expiry, and an old one none. In one transaction:
//
//	MULTI
//	PEXPIREAT key unexpired NX   an old key without an expiry gets a mark
//	the client's command
//	EVAL expireNew 1 key ttl     no expiry: the key is new; the mark: it is not
//	EXEC
//
// The mark leaves a key together with its old value, so that it tells a key
// that was replaced (SET, RENAME, *STORE) from one that was changed or left
// alone, whether the command failed, did nothing, or wrote. Nobody sees it.

// unexpired is the mark: the year 287,396, and exact as a Lua number.
const unexpired = "9007199254740991"

// expireNew ends what the mark began, for each key.
const expireNew = `for i,k in ipairs(KEYS) do local t=redis.call('PEXPIRETIME',k)
if t==` + unexpired + ` then redis.call('PERSIST',k) elseif t==-1 and ARGV[i]~='0' then redis.call('EXPIRE',k,ARGV[i]) end end`

// expireSigned is for keys that are all new, or none is: the last of KEYS, which
// was made with them, tells which (see longmset.go).
const expireSigned = `if redis.call('DEL',KEYS[#KEYS])==1 then for i=1,#KEYS-1 do if ARGV[i]~='0' then redis.call('EXPIRE',KEYS[i],ARGV[i]) end end end`

// markOld sets the mark on each key that has no expiry.
const markOld = `for i,k in ipairs(KEYS) do redis.call('PEXPIREAT',k,` + unexpired + `,'NX') end`

// What is about BLMOVE and BRPOPLPUSH, which can't wait inside of a transaction
// (see moved.go). 1 means yes, and of afterWait that it can't tell.
const (
	beforeWait = `if redis.call('TTL',KEYS[1])==-1 then return 1 end return 0`
	afterWait  = `if redis.call('TTL',KEYS[1])~=-1 then return 0 end
if redis.call('LLEN',KEYS[1])>1 then return 1 end
redis.call('EXPIRE',KEYS[1],ARGV[1]) return 0`
	expireLate = `if redis.call('TTL',KEYS[1])==-1 then redis.call('EXPIRE',KEYS[1],ARGV[1]) end`
)

// copyKey is COPY, which a role may not run because it could name another
// database.
const copyKey = `if KEYS[1]==KEYS[2] then return redis.error_reply('ERR source and destination objects are the same') end
if redis.call('EXISTS',KEYS[1])==0 then return 0 end
if ARGV[1]=='0' and redis.call('EXISTS',KEYS[2])==1 then return 0 end
local t=redis.call('PEXPIRETIME',KEYS[1])
local d=redis.call('DUMP',KEYS[1])
if t>0 then redis.call('RESTORE',KEYS[2],t,d,'REPLACE','ABSTTL') else redis.call('RESTORE',KEYS[2],0,d,'REPLACE') end
return 1`

var (
	multiCommand   = appendCommand(nil, "MULTI")
	execCommand    = appendCommand(nil, "EXEC")
	discardCommand = appendCommand(nil, "DISCARD")
	unwatchCommand = appendCommand(nil, "UNWATCH")
)

// appendScript encodes EVAL script with keys and, as arguments, their seconds.
func appendScript(dst []byte, script string, keys [][]byte, ttls []int64) []byte {
	dst = redcon.AppendArray(dst, 3+len(keys)+len(ttls))
	dst = redcon.AppendBulkString(dst, "EVAL")
	dst = redcon.AppendBulkString(dst, script)
	dst = redcon.AppendBulkString(dst, strconv.Itoa(len(keys)))
	for _, key := range keys {
		dst = redcon.AppendBulk(dst, key)
	}
	for _, ttl := range ttls {
		dst = redcon.AppendBulkString(dst, strconv.FormatInt(ttl, 10))
	}
	return dst
}

// hidden are the commands before and behind one that may make keys.
type hidden struct {
	before []byte
	behind []byte
}

// hiddenFor are those of a command with its keys and their seconds.
func hiddenFor(keys [][]byte, ttls []int64) hidden {
	if len(keys) == 1 {
		return hidden{
			appendCommand(nil, "PEXPIREAT", string(keys[0]), unexpired, "NX"),
			appendScript(nil, expireNew, keys, ttls),
		}
	}
	return hidden{appendScript(nil, markOld, keys, nil), appendScript(nil, expireNew, keys, ttls)}
}
