// Mongoose (https://mongoosejs.com) through the proxy, on an empty workspace. The
// connection string comes from URL, the authority's certificate from the file CA.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mongoose from 'mongoose';

const { Schema } = mongoose;
const User = mongoose.model('User', new Schema({
  name: { type: String, required: true, trim: true },
  email: { type: String, unique: true, lowercase: true },
  born: Date,
  tags: [String],
  address: new Schema({ city: String }, { _id: false }),
}, { timestamps: true }));
const Post = mongoose.model('Post', new Schema({
  title: { type: String, index: true },
  author: { type: Schema.Types.ObjectId, ref: 'User' },
  seen: { type: Number, default: 0, min: 0 },
}));

before(() => mongoose.connect(process.env.URL, { tlsCAFile: process.env.CA, serverSelectionTimeoutMS: 60000 }));
after(() => mongoose.disconnect());

test('models make their collections and indexes', async () => {
  await Promise.all([User.init(), Post.init()]);
  assert.deepEqual((await User.listIndexes()).map((i) => i.name).sort(), ['_id_', 'email_1']);
  assert.deepEqual((await mongoose.connection.listCollections()).map((c) => c.name).sort(), ['posts', 'users']);
  assert.deepEqual(await User.diffIndexes(), { toDrop: [], toCreate: [] });
});

test('documents are validated, stored, changed and deleted', async () => {
  await assert.rejects(User.create({ email: 'nameless@example.com' }), { name: 'ValidationError' });
  const ann = await User.create({ name: '  Ann ', email: 'ANN@example.com', tags: ['a'], address: { city: 'Köln' } });
  assert.equal(ann.name, 'Ann');
  await assert.rejects(User.create({ name: 'Other', email: 'ann@example.com' }), { code: 11000 });
  ann.tags.push('b');
  ann.address.city = 'Bonn';
  await ann.save();
  const again = await User.findById(ann.id);
  assert.deepEqual([...again.tags], ['a', 'b']);
  assert.equal(again.address.city, 'Bonn');
  assert.ok(again.updatedAt >= again.createdAt);
  await assert.rejects(async () => {
    const stale = await User.findById(ann.id);
    await User.updateOne({ _id: ann.id }, { $set: { tags: [] }, $inc: { __v: 1 } });
    stale.tags.set(0, 'c');
    await stale.save();
  }, { name: 'VersionError' });
  assert.equal((await User.deleteOne({ _id: ann.id })).deletedCount, 1);
});

test('references are populated, queries chained, cursors read', async () => {
  const author = await User.create({ name: 'Bob', email: 'bob@example.com' });
  await Post.insertMany(Array.from({ length: 300 }, (_, n) => ({ title: `post ${String(n).padStart(3, '0')}`, author: author._id, seen: n })));
  const posts = await Post.find().where('seen').gt(100).lt(104).sort('-title').populate('author').lean();
  assert.deepEqual(posts.map((p) => p.title), ['post 103', 'post 102', 'post 101']);
  assert.equal(posts[0].author.name, 'Bob');
  let n = 0;
  for await (const post of Post.find().batchSize(50).cursor()) n += post.title ? 1 : 0;
  assert.equal(n, 300);
  const [{ sum }] = await Post.aggregate([{ $match: { seen: { $lt: 3 } } }, { $group: { _id: null, sum: { $sum: '$seen' } } }]);
  assert.equal(sum, 3);
  await Post.findOneAndUpdate({ title: 'post 000' }, { $inc: { seen: 5 } }, { upsert: true });
  assert.equal((await Post.findOne({ title: 'post 000' })).seen, 5);
});
