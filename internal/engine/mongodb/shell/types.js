// The BSON types that JavaScript does not have, under mongosh's names. Each may
// be called with and without new. Go reads their _bsontype and value.
(function (native) {
  "use strict";
  const types = {};

  function define(name, build, methods) {
    const F = function (...args) {
      const self = Object.create(F.prototype);
      build(self, ...args);
      return self;
    };
    Object.defineProperty(F, "name", { value: name });
    for (const [key, f] of Object.entries(methods || {})) {
      Object.defineProperty(F.prototype, key, { value: f, writable: true, configurable: true });
    }
    Object.defineProperty(F.prototype, "_bsontype", { value: name });
    Object.defineProperty(F.prototype, "toJSON", { value() { return native.relaxed(this); }, configurable: true });
    Object.defineProperty(F.prototype, "equals", { value(other) { return other != null && other._bsontype === this._bsontype && String(other) === String(this); } });
    types[name] = F;
    return F;
  }
  function keep(self, value) { Object.defineProperty(self, "value", { value, enumerable: true }); }

  define("ObjectId", (self, id) => {
    if (id === undefined || id === null) id = native.newId();
    id = String(id).toLowerCase();
    if (!/^[0-9a-f]{24}$/.test(id)) throw new TypeError("ObjectId takes 24 hexadecimal digits");
    keep(self, id);
  }, {
    toString() { return this.value; },
    toHexString() { return this.value; },
    valueOf() { return this.value; },
    getTimestamp() { return new Date(parseInt(this.value.slice(0, 8), 16) * 1000); },
  });
  types.ObjectId.isValid = (id) => /^[0-9a-fA-F]{24}$/.test(String(id));

  function integer(name, bits) {
    define(name, (self, n) => {
      let v;
      try { v = typeof n === "object" && n !== null ? BigInt(n.value === undefined ? n : n.value) : BigInt(typeof n === "number" ? Math.trunc(n) : n === undefined ? 0 : n); } catch (e) { throw new TypeError(name + " takes a whole number"); }
      if (BigInt.asIntN(bits, v) !== v) throw new RangeError(name + " is a number of " + bits + " bits");
      keep(self, v.toString());
    }, {
      toString() { return this.value; },
      valueOf() { return Number(this.value); },
      toNumber() { return Number(this.value); },
      toBigInt() { return BigInt(this.value); },
    });
  }
  integer("Long", 64);
  integer("Int32", 32);
  define("Double", (self, n) => keep(self, Number(n)), {
    toString() { return String(this.value); }, valueOf() { return this.value; },
  });
  define("Decimal128", (self, n) => keep(self, native.decimal(String(n === undefined ? "0" : n))), {
    toString() { return this.value; }, valueOf() { return Number(this.value); },
  });
  define("Binary", (self, data, subtype) => {
    keep(self, String(data));
    Object.defineProperty(self, "sub_type", { value: Number(subtype || 0), enumerable: true });
  }, {
    toString() { return this.value; },
    base64() { return this.value; },
    hex() { return native.hex(this.value); },
  });
  define("Timestamp", (self, t, i) => {
    if (typeof t === "object" && t !== null) [t, i] = [t.t, t.i];
    Object.defineProperty(self, "t", { value: Number(t || 0), enumerable: true });
    Object.defineProperty(self, "i", { value: Number(i || 0), enumerable: true });
  }, { toString() { return this.t + ":" + this.i; } });
  define("MinKey", () => {}, { toString() { return "MinKey"; } });
  define("MaxKey", () => {}, { toString() { return "MaxKey"; } });
  define("Code", (self, code, scope) => {
    keep(self, String(code));
    if (scope !== undefined && scope !== null) Object.defineProperty(self, "scope", { value: scope, enumerable: true });
  }, { toString() { return this.value; } });
  define("BSONSymbol", (self, s) => keep(self, String(s)), { toString() { return this.value; }, valueOf() { return this.value; } });
  define("BSONRegExp", (self, pattern, options) => {
    Object.defineProperty(self, "pattern", { value: String(pattern), enumerable: true });
    Object.defineProperty(self, "options", { value: String(options || ""), enumerable: true });
  }, { toString() { return "/" + this.pattern + "/" + this.options; } });

  types.NumberLong = types.Long;
  types.NumberInt = types.Int32;
  types.NumberDecimal = types.Decimal128;
  types.BinData = (subtype, data) => new types.Binary(data, subtype);
  types.HexData = (subtype, data) => new types.Binary(native.base64(String(data)), subtype);
  types.UUID = (text) => new types.Binary(native.base64(text === undefined ? native.newUUID() : String(text).replace(/-/g, "")), 4);
  types.ISODate = (text) => {
    if (text === undefined) return new Date();
    if (/^\d{8}$/.test(text)) text = text.replace(/(\d{4})(\d\d)(\d\d)/, "$1-$2-$3");
    if (/T[\d:.]+$/.test(text)) text += "Z";
    const date = new Date(text);
    if (isNaN(date)) throw new TypeError(JSON.stringify(text) + " is not a valid ISODate");
    return date;
  };
  types.DBRef = (ref, id, db) => db === undefined ? { $ref: ref, $id: id } : { $ref: ref, $id: id, $db: db };
  return types;
})
