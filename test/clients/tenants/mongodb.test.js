// The drivers mongodb and mongoose on a tenant's MongoDB database, whose schema
// has a collection "users" with a unique index on "email". The connection string
// comes from URL, the authority's certificate from the file CA.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { randomBytes } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { GridFSBucket, MongoClient, MongoServerError } from 'mongodb';
import mongoose from 'mongoose';

const client = new MongoClient(process.env.URL, { tlsCAFile: process.env.CA, serverSelectionTimeoutMS: 60000 });
const db = client.db();
const refusal = (err) => err instanceof MongoServerError && err.code === 13 && err.codeName === 'Unauthorized'
  && err.message === 'DDL not allowed on tenant databases - use workspace mode';

before(() => client.connect());
after(async () => { await client.close(); await mongoose.disconnect(); });

test('documents', async () => {
  await db.collection('users').insertOne({ _id: 'node', email: 'node@example.com' });
  await assert.rejects(db.collection('users').insertOne({ email: 'node@example.com' }), (err) => err.code === 11000);
  assert.equal((await db.collection('users').findOne({ _id: 'node' })).email, 'node@example.com');
  await db.collection('implicit').updateOne({ _id: 1 }, { $set: { x: 1 } }, { upsert: true });
});

test('GridFS', async () => {
  for (const bucketName of ['fs', 'node.photos']) {
    const bucket = new GridFSBucket(db, { bucketName });
    const content = randomBytes(600_000);
    await pipeline(Readable.from([content]), bucket.openUploadStream('a file'));
    const parts = [];
    for await (const part of bucket.openDownloadStreamByName('a file')) parts.push(part);
    assert.ok(Buffer.concat(parts).equals(content));
    assert.deepEqual((await db.collection(`${bucketName}.chunks`).indexes()).map((i) => i.name), ['_id_', 'files_id_1_n_1']);
  }
});

test('the schema stays', async () => {
  const users = db.collection('users');
  for (const change of [
    () => db.createCollection('made'),
    () => db.createCollection('view', { viewOn: 'users', pipeline: [] }),
    () => users.createIndex({ age: 1 }),
    () => users.createIndexes([{ key: { filename: 1, uploadDate: 1 }, name: 'filename_1_uploadDate_1' }]),
    () => users.dropIndex('email_1'),
    () => users.dropIndexes(),
    () => users.rename('people'),
    () => users.drop(),
    () => db.dropDatabase(),
    () => db.command({ collMod: 'users', validator: {} }),
    () => db.command({ convertToCapped: 'users', size: 4096 }),
  ]) {
    await assert.rejects(change(), refusal, String(change));
  }
  assert.deepEqual((await users.indexes()).map((i) => i.name), ['_id_', 'email_1']);
});

test('mongoose that leaves the schema alone', async () => {
  await mongoose.connect(process.env.URL, { tlsCAFile: process.env.CA, serverSelectionTimeoutMS: 60000, autoCreate: false, autoIndex: false });
  const User = mongoose.model('User', new mongoose.Schema({ email: { type: String, unique: true } }));
  await User.init();
  const ann = await User.create({ email: 'ann@example.com' });
  assert.equal((await User.findById(ann._id)).email, 'ann@example.com');
});
