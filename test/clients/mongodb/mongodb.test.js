// The driver mongodb (https://www.mongodb.com/docs/drivers/node) through the
// proxy, on an empty workspace. The connection string comes from URL, the
// authority's certificate from the file CA.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { GridFSBucket, Long, MongoClient, MongoServerError, ObjectId, UUID } from 'mongodb';

const printed = new URL(process.env.URL);
const name = printed.pathname.slice(1);
const clients = [];

// connect opens the connection string, changed by options.
async function connect(options = {}, url = process.env.URL) {
  const client = new MongoClient(url, { tlsCAFile: process.env.CA, serverSelectionTimeoutMS: 60000, ...options });
  clients.push(client);
  await client.connect();
  return client.db(name);
}

// refused is connect where it must fail.
async function refused(options, url) {
  await assert.rejects(async () => (await connect({ serverSelectionTimeoutMS: 3000, ...options }, url)).collection('c').findOne());
}

let db;
before(async () => { db = await connect(); });
after(async () => { for (const client of clients) await client.close(); });

test('create, read, update, delete', async () => {
  const users = db.collection('users');
  const { insertedIds } = await users.insertMany([
    { name: 'Ann', age: 30, big: Long.fromString('9007199254740993') },
    { name: 'Zoë', age: 40, at: new Date(0), id: new UUID(), raw: Buffer.from([0, 255]) },
  ]);
  assert.ok(insertedIds[0] instanceof ObjectId);
  const ann = await users.findOne({ name: 'Ann' }, { promoteLongs: false });
  assert.equal(ann.big.toString(), '9007199254740993');
  assert.equal((await users.updateMany({ age: { $gt: 35 } }, { $inc: { age: 1 } })).modifiedCount, 1);
  assert.equal((await users.findOneAndUpdate({ name: 'Zoë' }, { $set: { seen: true } }, { returnDocument: 'after' })).age, 41);
  assert.equal((await users.bulkWrite([
    { insertOne: { document: { name: 'Bob' } } },
    { updateOne: { filter: { name: 'Bob' }, update: { $set: { age: 1 } } } },
    { deleteOne: { filter: { name: 'Ann' } } },
  ])).deletedCount, 1);
  assert.deepEqual(await users.distinct('name'), ['Bob', 'Zoë']);
  assert.equal(await users.countDocuments(), 2);
  assert.equal(await users.estimatedDocumentCount(), 2);
  assert.deepEqual(await users.aggregate([{ $group: { _id: null, sum: { $sum: '$age' } } }]).toArray(), [{ _id: null, sum: 42 }]);
});

test('indexes and collections', async () => {
  await db.createCollection('made');
  assert.equal(await db.collection('made').createIndex({ email: 1 }, { unique: true }), 'email_1');
  await db.collection('made').insertOne({ email: 'a' });
  await assert.rejects(db.collection('made').insertOne({ email: 'a' }), (err) => err instanceof MongoServerError && err.code === 11000);
  assert.deepEqual((await db.collection('made').indexes()).map((i) => i.name), ['_id_', 'email_1']);
  await db.collection('made').dropIndex('email_1');
  await db.collection('made').rename('renamed');
  assert.ok((await db.listCollections().toArray()).some((c) => c.name === 'renamed'));
  assert.equal(await db.collection('renamed').drop(), true);
});

test('a cursor over many batches, and one that is left', async () => {
  const many = db.collection('many');
  await many.insertMany(Array.from({ length: 5000 }, (_, n) => ({ _id: n, text: 'x'.repeat(100) })));
  let n = 0;
  for await (const doc of many.find().sort({ _id: 1 }).batchSize(101)) assert.equal(doc._id, n++);
  assert.equal(n, 5000);
  const left = many.find().batchSize(10);
  await left.next();
  await left.close();
  const leaving = new AbortController();
  const cancelled = many.find({}, { signal: leaving.signal }).batchSize(10);
  await cancelled.next();
  leaving.abort();
  await assert.rejects(cancelled.toArray());
  assert.equal(await many.countDocuments(), 5000);
});

test('many commands at once on a pool', async () => {
  const pooled = await connect({ maxPoolSize: 8, minPoolSize: 2 });
  const numbers = pooled.collection('numbers');
  const squares = await Promise.all(Array.from({ length: 200 }, async (_, n) => {
    await numbers.insertOne({ _id: n, square: n * n });
    return (await numbers.findOne({ _id: n })).square;
  }));
  assert.deepEqual(squares, Array.from({ length: 200 }, (_, n) => n * n));
  assert.equal(await numbers.countDocuments(), 200);
});

test('a driver that watches its commands and pools', async () => {
  const client = new MongoClient(process.env.URL, { tlsCAFile: process.env.CA, monitorCommands: true, heartbeatFrequencyMS: 500 });
  clients.push(client);
  const seen = new Set();
  for (const event of ['commandStarted', 'commandSucceeded', 'connectionReady', 'serverHeartbeatSucceeded', 'topologyOpening']) client.on(event, () => seen.add(event));
  const beat = new Promise((resolve) => { client.on('serverHeartbeatSucceeded', resolve); });
  await client.db(name).command({ ping: 1 });
  await beat;
  assert.deepEqual([...seen].sort(), ['commandStarted', 'commandSucceeded', 'connectionReady', 'serverHeartbeatSucceeded', 'topologyOpening']);
});

const found = new URL(printed);
found.searchParams.delete('directConnection');
const scram = new URL(printed);
scram.searchParams.set('authMechanism', 'SCRAM-SHA-256');
scram.searchParams.set('authSource', 'admin');
const chosen = new URL(found);
chosen.searchParams.delete('authMechanism');
chosen.searchParams.set('authSource', 'admin');
for (const [how, url, options] of [
  ['SCRAM-SHA-256', scram, {}],
  ['without directConnection', found, {}],
  ['the mechanism that it chooses', chosen, {}],
  ['zlib', printed, { compressors: ['zlib'] }],
  ['no retries', printed, { retryWrites: false, retryReads: false }],
  ['polled monitors', found, { serverMonitoringMode: 'poll', heartbeatFrequencyMS: 500 }],
  ['a read preference', found, { readPreference: 'secondaryPreferred' }],
  ['a majority', printed, { writeConcern: { w: 'majority' }, readConcern: { level: 'local' } }],
]) {
  test(`connects with ${how}`, async () => {
    const other = await connect(options, url.href);
    const id = new ObjectId();
    await other.collection('ways').insertOne({ _id: id, how, text: 'long '.repeat(1000) });
    assert.equal((await other.collection('ways').findOne({ _id: id })).how, how);
  });
}

test('who may not enter does not', async () => {
  const wrong = new URL(printed);
  wrong.password = 'tdb_0000000000000000';
  await refused({}, wrong.href);
  await refused({ tls: false, tlsCAFile: undefined }, printed.href.replace('tls=true', 'tls=false'));
  await assert.rejects(db.client.db('admin').collection('c').findOne(), (err) => err.code === 13);
  await assert.rejects(db.client.db('another_workspace').collection('c').insertOne({}), (err) => err.code === 13);
  await assert.rejects(db.admin().command({ shutdown: 1 }));
  assert.deepEqual((await db.admin().listDatabases()).databases.map((d) => d.name), [name]);
});

test('a file of several megabytes in GridFS', async () => {
  const bucket = new GridFSBucket(db);
  const content = randomBytes(4 << 20);
  const upload = bucket.openUploadStream('file');
  await pipeline(Readable.from([content]), upload);
  const parts = [];
  for await (const part of bucket.openDownloadStream(upload.id)) parts.push(part);
  assert.ok(Buffer.concat(parts).equals(content));
  await bucket.delete(upload.id);
});
