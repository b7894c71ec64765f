// The cursor of a find or an aggregation. Nothing is sent before its first
// document is asked for.
(function (native, tools) {
  "use strict";
  const { run, tidy } = tools;

  class Cursor {
    constructor(collection, command) {
      Object.defineProperty(this, "_", { value: { collection, command, batch: null, at: 0, id: null, map: [] } });
    }
    _set(field, value) {
      if (this._.batch) throw new Error("the cursor has been read from already");
      this._.command[field] = value;
      return this;
    }
    sort(v) { return this._set("sort", v); }
    limit(n) {
      if (n < 0) return this._set("limit", -n)._set("singleBatch", true);
      return n === 0 ? this : this._set("limit", n);
    }
    skip(n) { return this._set("skip", n); }
    project(v) { return this._set("projection", v); }
    projection(v) { return this._set("projection", v); }
    batchSize(n) { return this._.command.aggregate === undefined ? this._set("batchSize", n) : this._set("cursor", { batchSize: n }); }
    hint(v) { return this._set("hint", v); }
    comment(v) { return this._set("comment", v); }
    maxTimeMS(n) { return this._set("maxTimeMS", n); }
    collation(v) { return this._set("collation", v); }
    min(v) { return this._set("min", v); }
    max(v) { return this._set("max", v); }
    allowDiskUse(v) { return this._set("allowDiskUse", v === undefined || v); }
    returnKey(v) { return this._set("returnKey", v === undefined || v); }
    showRecordId(v) { return this._set("showRecordId", v === undefined || v); }
    noCursorTimeout() { return this; }
    readConcern(level) { return this._set("readConcern", { level }); }
    readPref() { return this; }
    pretty() { return this; }
    tailable() { throw new Error("a tailable cursor needs a connection that stays: use a MongoDB client"); }

    _fill() {
      const s = this._;
      if (s.batch && s.at < s.batch.length) return true;
      if (s.batch && !s.id) return false;
      let reply;
      if (!s.batch) {
        reply = run(tidy(s.command));
        s.batch = reply.cursor.firstBatch;
      } else {
        reply = run({ getMore: s.id, collection: native.namespace(s.ns) });
        s.batch = reply.cursor.nextBatch;
      }
      s.ns = reply.cursor.ns;
      s.id = String(reply.cursor.id) === "0" ? null : new tools.types.Long(reply.cursor.id);
      s.at = 0;
      return s.batch.length > 0 || this._fill();
    }
    hasNext() { return this._fill(); }
    next() {
      if (!this._fill()) throw new Error("no more documents");
      return this._.map.reduce((d, f) => f(d), this._.batch[this._.at++]);
    }
    tryNext() { return this._fill() ? this.next() : null; }
    toArray() {
      const all = [];
      while (this._fill()) all.push(this.next());
      return all;
    }
    forEach(f) { while (this._fill()) if (f(this.next()) === false) break; }
    map(f) { this._.map.push(f); return this; }
    itcount() { let n = 0; while (this._fill()) { this._.at++; n++; } return n; }
    size() { return this._count(true); }
    count(apply) { return this._count(apply); }
    _count(apply) {
      const c = this._.command;
      if (c.find === undefined) throw new TypeError("an aggregation has no count(); use itcount() or a $count stage");
      const command = { count: c.find, query: c.filter, hint: c.hint, collation: c.collation };
      if (apply) Object.assign(command, { skip: c.skip, limit: c.limit });
      return Number(run(tidy(command)).n);
    }
    explain(verbosity) { return tools.explain(tidy(this._.command), verbosity); }
    close() {
      const s = this._;
      if (s.id) run({ killCursors: native.namespace(s.ns), cursors: [s.id] });
      s.batch = [];
      s.at = 0;
      s.id = null;
    }
    isClosed() { return this._.batch !== null && !this._.id; }
    isExhausted() { return this.isClosed() && this._.at >= this._.batch.length; }
    objsLeftInBatch() { return this._.batch ? this._.batch.length - this._.at : 0; }
    [Symbol.iterator]() {
      return { next: () => (this._fill() ? { value: this.next(), done: false } : { value: undefined, done: true }) };
    }
  }
  return Cursor;
})
