// A collection, with mongosh's methods; each makes the command that a driver
// would send.
(function (native, tools) {
  "use strict";
  const { run, tidy, wrote, Cursor } = tools;
  const state = new WeakMap();
  const nameOf = (c) => state.get(c);
  const list = (v) => (Array.isArray(v) ? v : [v]);
  const indexName = (key) => (key instanceof Map ? [...key] : Object.entries(key)).map(([k, v]) => k + "_" + v).join("_");

  // write runs a write command and throws what the server refused of it.
  function write(command) {
    const reply = run(tidy(command));
    const failed = reply.writeErrors && reply.writeErrors[0];
    if (failed) throw tools.serverError(failed.errmsg, failed.code, failed.codeName, reply);
    if (reply.writeConcernError) throw tools.serverError(reply.writeConcernError.errmsg, reply.writeConcernError.code, reply.writeConcernError.codeName, reply);
    return reply;
  }
  function withId(d) {
    if (d === null || typeof d !== "object" || Array.isArray(d)) throw new TypeError("a document is needed to insert");
    return Object.prototype.hasOwnProperty.call(d, "_id") ? d : { _id: new tools.types.ObjectId(), ...d };
  }
  function isUpdate(u) { return Array.isArray(u) || Object.keys(u).some((k) => k.startsWith("$")); }
  function needUpdate(u, method) {
    if (u === null || typeof u !== "object" || !isUpdate(u)) throw new TypeError(method + " needs update operators ($set, …)");
  }
  function needReplacement(r, method) {
    if (r === null || typeof r !== "object" || isUpdate(r)) throw new TypeError(method + " needs a document without update operators");
  }
  function updates(c, filter, update, multi, o = {}) {
    const one = tidy({ q: filter || {}, u: update, multi, upsert: o.upsert, collation: o.collation, arrayFilters: o.arrayFilters, hint: o.hint, sort: o.sort });
    const r = write({ update: nameOf(c), updates: [one], let: o.let, bypassDocumentValidation: o.bypassDocumentValidation });
    const upserted = r.upserted && r.upserted[0];
    const result = {
      acknowledged: true, insertedId: upserted ? upserted._id : null,
      matchedCount: r.n - (upserted ? 1 : 0), modifiedCount: r.nModified || 0, upsertedCount: upserted ? 1 : 0,
    };
    return wrote(result, result.modifiedCount + result.upsertedCount);
  }
  function deletes(c, filter, limit, o = {}) {
    if (filter === undefined) throw new TypeError("a filter is needed to delete; {} is every document");
    const r = write({ delete: nameOf(c), deletes: [tidy({ q: filter, limit, collation: o.collation, hint: o.hint })], let: o.let });
    return wrote({ acknowledged: true, deletedCount: r.n }, r.n);
  }
  function modify(c, filter, o, change) {
    const r = write({
      findAndModify: nameOf(c), query: filter || {}, ...change, sort: o.sort, fields: o.projection, upsert: o.upsert,
      collation: o.collation, arrayFilters: o.arrayFilters, hint: o.hint, let: o.let,
      new: change.remove ? undefined : o.returnDocument === "after" || o.returnNewDocument === true || o.returnOriginal === false,
    });
    return r.value === undefined ? null : r.value;
  }

  const methods = {
    getName() { return nameOf(this); },
    getFullName() { return native.database + "." + nameOf(this); },
    getDB() { return tools.db; },
    toString() { return this.getFullName(); },
    find(filter, projection, o) { return new Cursor(this, tidy({ find: nameOf(this), filter: filter || {}, projection, ...o })); },
    findOne(filter, projection, o) {
      const all = this.find(filter, projection, o).limit(1).toArray();
      return all.length ? all[0] : null;
    },
    aggregate(...stages) {
      let o = {};
      if (Array.isArray(stages[0])) [stages, o] = [stages[0], stages[1] || {}];
      const { explain, batchSize, ...rest } = o;
      const command = { aggregate: nameOf(this), pipeline: stages, cursor: batchSize ? { batchSize } : {}, ...rest };
      if (explain) return tools.explain(tidy(command), explain === true ? undefined : explain);
      const cursor = new Cursor(this, command);
      const last = stages[stages.length - 1];
      if (last && (last.$out !== undefined || last.$merge !== undefined)) cursor.hasNext();
      return cursor;
    },
    countDocuments(filter, o = {}) {
      const pipeline = [{ $match: filter || {} }];
      if (o.skip) pipeline.push({ $skip: o.skip });
      if (o.limit) pipeline.push({ $limit: o.limit });
      pipeline.push({ $group: { _id: 1, n: { $sum: 1 } } });
      const all = new Cursor(this, tidy({ aggregate: nameOf(this), pipeline, cursor: {}, hint: o.hint, collation: o.collation })).toArray();
      return all.length ? Number(all[0].n) : 0;
    },
    estimatedDocumentCount() { return Number(run({ count: nameOf(this) }).n); },
    count(filter, o = {}) { return Number(run(tidy({ count: nameOf(this), query: filter, limit: o.limit, skip: o.skip, hint: o.hint, collation: o.collation })).n); },
    distinct(key, query, o) { return run(tidy({ distinct: nameOf(this), key, query: query || {}, ...o })).values; },

    insertOne(d, o = {}) {
      d = withId(d);
      write({ insert: nameOf(this), documents: [d], bypassDocumentValidation: o.bypassDocumentValidation });
      return wrote({ acknowledged: true, insertedId: d._id }, 1);
    },
    insertMany(all, o = {}) {
      if (!Array.isArray(all) || all.length === 0) throw new TypeError("insertMany needs an array of documents");
      all = all.map(withId);
      write({ insert: nameOf(this), documents: all, ordered: o.ordered, bypassDocumentValidation: o.bypassDocumentValidation });
      return wrote({ acknowledged: true, insertedIds: Object.fromEntries(all.map((d, i) => [i, d._id])) }, all.length);
    },
    insert(d, o) { return Array.isArray(d) ? this.insertMany(d, o) : this.insertOne(d, o); },
    save(d) { return d._id === undefined ? this.insertOne(d) : this.replaceOne({ _id: d._id }, d, { upsert: true }); },
    updateOne(filter, u, o) { needUpdate(u, "updateOne"); return updates(this, filter, u, false, o); },
    updateMany(filter, u, o) { needUpdate(u, "updateMany"); return updates(this, filter, u, true, o); },
    update(filter, u, o = {}) { return updates(this, filter, u, o.multi === true, o); },
    replaceOne(filter, r, o) { needReplacement(r, "replaceOne"); return updates(this, filter, r, false, o); },
    deleteOne(filter, o) { return deletes(this, filter, 1, o); },
    deleteMany(filter, o) { return deletes(this, filter, 0, o); },
    remove(filter, o) { return deletes(this, filter, o === true || (o && o.justOne) ? 1 : 0, o === true ? {} : o); },
    findOneAndUpdate(filter, u, o = {}) { needUpdate(u, "findOneAndUpdate"); return modify(this, filter, o, { update: u }); },
    findOneAndReplace(filter, r, o = {}) { needReplacement(r, "findOneAndReplace"); return modify(this, filter, o, { update: r }); },
    findOneAndDelete(filter, o = {}) { return modify(this, filter, o, { remove: true }); },
    findAndModify(o) {
      const { query, update, remove, fields, ...rest } = o;
      return modify(this, query, { projection: fields, returnDocument: o.new ? "after" : "before", ...rest }, remove ? { remove: true } : { update });
    },
    bulkWrite(operations) {
      const total = { acknowledged: true, insertedCount: 0, insertedIds: {}, matchedCount: 0, modifiedCount: 0, deletedCount: 0, upsertedCount: 0, upsertedIds: {} };
      operations.forEach((operation, i) => {
        const [kind, o] = Object.entries(operation)[0];
        let r;
        switch (kind) {
          case "insertOne":
            r = this.insertOne(o.document);
            total.insertedCount++;
            total.insertedIds[i] = r.insertedId;
            break;
          case "updateOne": case "updateMany": case "replaceOne":
            r = this[kind](o.filter, kind === "replaceOne" ? o.replacement : o.update, o);
            total.matchedCount += r.matchedCount;
            total.modifiedCount += r.modifiedCount;
            total.upsertedCount += r.upsertedCount;
            if (r.upsertedCount) total.upsertedIds[i] = r.insertedId;
            break;
          case "deleteOne": case "deleteMany":
            total.deletedCount += this[kind](o.filter, o).deletedCount;
            break;
          default:
            throw new TypeError("bulkWrite does not know " + kind);
        }
      });
      return wrote(total, total.insertedCount + total.modifiedCount + total.deletedCount + total.upsertedCount);
    },

    createIndex(key, o) { return this.createIndexes([key], o)[0]; },
    ensureIndex(key, o) { return this.createIndex(key, o); },
    createIndexes(keys, o) {
      const indexes = list(keys).map((key) => tidy({ key: typeof key === "string" ? { [key]: 1 } : key, name: indexName(typeof key === "string" ? { [key]: 1 } : key), ...o }));
      run({ createIndexes: nameOf(this), indexes });
      return indexes.map((i) => i.name);
    },
    getIndexes() { return new Cursor(this, { listIndexes: nameOf(this), cursor: {} }).toArray(); },
    getIndices() { return this.getIndexes(); },
    indexes() { return this.getIndexes(); },
    getIndexKeys() { return this.getIndexes().map((i) => i.key); },
    dropIndex(index) {
      if (index === "*") throw new TypeError("dropIndex drops one index; dropIndexes() drops all");
      return run({ dropIndexes: nameOf(this), index });
    },
    dropIndexes(index) { return run({ dropIndexes: nameOf(this), index: index === undefined ? "*" : index }); },
    hideIndex(index) { return tools.hide(nameOf(this), index, true); },
    unhideIndex(index) { return tools.hide(nameOf(this), index, false); },
    drop() {
      try {
        run({ drop: nameOf(this) });
        return true;
      } catch (e) {
        if (e.codeName === "NamespaceNotFound") return false;
        throw e;
      }
    },
    renameCollection(to, dropTarget) {
      return run(tidy({ renameCollection: this.getFullName(), to: native.database + "." + to, dropTarget: dropTarget || undefined }));
    },
    convertToCapped(size) { return run({ convertToCapped: nameOf(this), size }); },
    stats(o) { return run({ collStats: nameOf(this), ...(typeof o === "number" ? { scale: o } : o) }); },
    dataSize() { return this.stats().size; },
    storageSize() { return this.stats().storageSize; },
    totalIndexSize() { return this.stats().totalIndexSize; },
    totalSize() { return this.stats().totalSize; },
    isCapped() { return this.stats().capped === true; },
    validate(full) { return run({ validate: nameOf(this), full: full === true }); },
    exists() { return tools.db.getCollectionInfos({ name: nameOf(this) })[0] || null; },
    explain(verbosity) {
      const of = (command) => tools.explain(tidy(command), verbosity);
      return {
        find: (...args) => { const c = this.find(...args); c.finish = () => c.explain(verbosity); return c; },
        aggregate: (pipeline, o) => of({ aggregate: nameOf(this), pipeline, cursor: {}, ...o }),
        count: (query) => of({ count: nameOf(this), query }),
        distinct: (key, query) => of({ distinct: nameOf(this), key, query }),
      };
    },
    watch() { throw new Error("a change stream needs a connection that stays: use a MongoDB client"); },
  };

  // collection is the one of that name; an unknown property of it is the
  // collection of the longer name (db.a.b is "a.b").
  return function collection(name) {
    if (typeof name !== "string" || name === "") throw new TypeError("a collection has a name");
    const proxy = new Proxy(Object.create(null), {
      get(_, key) {
        if (typeof key === "symbol") return key === Symbol.toPrimitive ? () => native.database + "." + name : undefined;
        if (Object.prototype.hasOwnProperty.call(methods, key)) return methods[key];
        if (key === "then" || key === "toJSON" || key === "_bsontype") return undefined;
        return collection(name + "." + key);
      },
      ownKeys() { return []; },
      set() { throw new TypeError("a collection has no properties to set"); },
      getPrototypeOf() { return null; },
    });
    state.set(proxy, name);
    tools.collections.add(proxy);
    return proxy;
  };
})
