// The database, and what else mongosh has at the top.
(function (native, types, makeCursor, makeCollection) {
  "use strict";
  const affected = new WeakMap();
  const tools = { types, collections: new WeakSet() };

  class MongoServerError extends Error {}
  Object.defineProperty(MongoServerError.prototype, "name", { value: "MongoServerError" });
  tools.serverError = (message, code, codeName, reply) => {
    const e = new MongoServerError(message);
    Object.assign(e, { code, codeName, errorResponse: reply });
    return e;
  };
  tools.tidy = (o) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined));
  tools.run = (command) => {
    const r = native.run(command);
    if (r.error !== undefined) throw tools.serverError(r.error, r.code, r.codeName, r.reply);
    return r.reply;
  };
  tools.wrote = (result, n) => { affected.set(result, Number(n)); return result; };
  tools.explain = (command, verbosity) => {
    if (verbosity === undefined || verbosity === false) verbosity = "queryPlanner";
    if (verbosity === true) verbosity = "allPlansExecution";
    return tools.run({ explain: command, verbosity });
  };
  tools.hide = (collection, index, hidden) =>
    tools.run({ collMod: collection, index: typeof index === "string" ? { name: index, hidden } : { keyPattern: index, hidden } });
  const Cursor = (tools.Cursor = makeCursor(native, tools));
  const collection = makeCollection(native, tools);
  const { run, tidy } = tools;
  const command = (c) => (typeof c === "string" ? { [c]: 1 } : c);

  const methods = {
    getName() { return native.database; },
    toString() { return native.database; },
    getCollection(name) { return collection(name); },
    collection(name) { return collection(name); },
    getCollectionNames() { return this.getCollectionInfos({}, true).map((c) => c.name).sort(); },
    getCollectionInfos(filter, nameOnly) { return new Cursor(null, tidy({ listCollections: 1, filter: filter || {}, nameOnly: nameOnly || undefined, cursor: {} })).toArray(); },
    createCollection(name, o) { return run(tidy({ create: name, ...o })); },
    createView(name, source, pipeline, o) { return run(tidy({ create: name, viewOn: source, pipeline: pipeline || [], ...o })); },
    runCommand(c) { return run(command(c)); },
    adminCommand(c) { return run(command(c)); },
    aggregate(pipeline, o) { return new Cursor(null, tidy({ aggregate: 1, pipeline, cursor: {}, ...o })); },
    stats(scale) { return run(tidy({ dbStats: 1, scale: typeof scale === "object" ? scale.scale : scale })); },
    dropDatabase() { return run({ dropDatabase: 1 }); },
    hello() { return run({ hello: 1 }); },
    isMaster() { return run({ isMaster: 1 }); },
    version() { return run({ buildInfo: 1 }).version; },
    serverBuildInfo() { return run({ buildInfo: 1 }); },
    getSiblingDB(name) {
      if (name === native.database) return db;
      throw new Error("a workspace is one database: " + native.database);
    },
    getMongo() { return { getDBNames: () => [native.database], getDB: (name) => db.getSiblingDB(name) }; },
  };
  const db = (tools.db = new Proxy(Object.create(null), {
    get(_, key) {
      if (typeof key === "symbol") return key === Symbol.toPrimitive ? () => native.database : undefined;
      if (Object.prototype.hasOwnProperty.call(methods, key)) return methods[key];
      if (key === "then" || key === "toJSON" || key === "_bsontype") return undefined;
      return collection(key);
    },
    ownKeys() { return []; },
    set() { throw new TypeError("the database has no properties to set"); },
    getPrototypeOf() { return null; },
  }));

  const show = (v) => (typeof v === "string" ? v : v === undefined ? "undefined" : v === db || tools.collections.has(v) ? String(v) : typeof v === "object" && v !== null ? native.json(v) : String(v));
  const print = (...args) => native.print(args.map(show).join(" "));
  const globals = {
    db, print, printjson: print, console: { log: print, info: print, warn: print, error: print, debug: print },
    tojson: (v) => native.json(v), EJSON: { stringify: (v) => native.json(v), parse: (text) => native.parse(String(text)) },
    sleep: (ms) => native.sleep(Number(ms)),
    show(what) {
      switch (what) {
        case "collections": case "tables": return db.getCollectionNames();
        case "dbs": case "databases": return [native.database];
      }
      throw new Error("show " + what + " is not possible here; show collections is");
    },
    use(name) {
      if (name === native.database) return "already on db " + name;
      throw new Error("a workspace is one database: " + native.database);
    },
  };
  for (const name of Object.keys(types)) if (!["Int32", "Binary"].includes(name)) globals[name] = types[name];
  globals.Int32 = types.Int32;
  globals.Binary = types.Binary;
  for (const name of Object.keys(globals)) {
    Object.defineProperty(globalThis, name, { value: globals[name], writable: true, configurable: true, enumerable: false });
  }

  // finish is what a script's last value means for the answer.
  return function finish(value) {
    if (value instanceof Cursor) value = typeof value.finish === "function" ? value.finish() : value.toArray();
    if (value === undefined) return { kind: "none" };
    if (value === db || tools.collections.has(value)) return { kind: "value", value: String(value) };
    if (Array.isArray(value)) return { kind: "list", value };
    if (value !== null && typeof value === "object" && affected.has(value)) return { kind: "value", value, affected: affected.get(value) };
    return { kind: "value", value };
  };
})
