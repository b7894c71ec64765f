// ioredis (https://github.com/redis/ioredis) through the proxy, on an empty
// workspace. The connection string comes from URL, the authority's certificate
// from the file CA.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';

const tls = { ca: readFileSync(process.env.CA, 'utf8') };
const clients = [];

function open(options = {}) {
  const client = new Redis(process.env.URL, { tls, ...options });
  clients.push(client);
  return client;
}

const redis = open();
beforeEach(() => redis.flushdb());
after(() => clients.forEach((c) => c.disconnect()));

test('values of every type', async () => {
  assert.equal(await redis.set('s', 'ünï'), 'OK');
  assert.equal(await redis.get('s'), 'ünï');
  assert.equal(await redis.get('none'), null);
  assert.equal(await redis.hset('h', { a: '1', b: '2' }), 2);
  assert.deepEqual(await redis.hgetall('h'), { a: '1', b: '2' });
  await redis.zadd('z', 1.5, 'one', 2, 'two');
  assert.deepEqual(await redis.zrange('z', 0, -1, 'WITHSCORES'), ['one', '1.5', 'two', '2']);
  const binary = Buffer.from([0, 13, 10, 255, 36, 42]);
  await redis.set('b', binary);
  assert.deepEqual(await redis.getBuffer('b'), binary);
  const large = 'x'.repeat(8 << 20);
  await redis.set('large', large);
  assert.equal(await redis.get('large'), large);
  await assert.rejects(redis.incr('s'), /ERR value is not an integer/);
  await assert.rejects(redis.lpush('s', 'x'), /WRONGTYPE/);
});

test('a pipeline answers in order, errors in their places', async () => {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.set(`k:${i}`, i).get(`k:${i}`);
  pipeline.incr('h:not').lpush('k:0', 'x').get('k:999');
  const answers = await pipeline.exec();
  assert.equal(answers.length, 2003);
  for (let i = 0; i < 1000; i++) assert.deepEqual(answers[2 * i + 1], [null, String(i)]);
  assert.match(answers[2001][0].message, /WRONGTYPE/);
  assert.deepEqual(answers[2002], [null, '999']);
});

test('commands in one turn travel together', async () => {
  const auto = open({ enableAutoPipelining: true });
  const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => auto.incrby('sum', i)));
  assert.equal(Math.max(...answers), (499 * 500) / 2);
});

test('transactions', async () => {
  assert.deepEqual(await redis.multi().set('a', 1).incr('a').lpush('a', 'x').get('a').exec().then((r) => r.map(([e, v]) => e?.message.slice(0, 9) ?? v)),
    ['OK', 2, 'WRONGTYPE', '2']);
  const other = open();
  await redis.watch('a');
  await other.set('a', 100);
  assert.equal(await redis.multi().incr('a').exec(), null);
  assert.equal(await redis.get('a'), '100');
  await redis.multi({ pipeline: false });
  assert.equal(await redis.set('a', 5), 'QUEUED');
  assert.equal(await redis.discard(), 'OK');
  assert.equal(await redis.get('a'), '100');
  await redis.multi({ pipeline: false });
  await assert.rejects(redis.call('nonsense'), /unknown command/);
  await assert.rejects(redis.exec(), /EXECABORT/);
});

test('channels and patterns', async () => {
  const listener = open();
  const heard = [];
  listener.on('message', (channel, message) => heard.push([channel, message]));
  listener.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
  assert.equal(await listener.subscribe('news', 'sport'), 2);
  assert.equal(await listener.psubscribe('n?ws', 'other:*'), 4);
  assert.equal(await redis.publish('news', 'hello'), 2);
  assert.equal(await redis.publish('other:1', 'pattern only'), 1);
  assert.equal(await redis.publish('nobody', 'unheard'), 0);
  assert.equal(await redis.publish('sport', 'last'), 1);
  while (!heard.some(([, m]) => m === 'last')) await once(listener, 'message');
  assert.deepEqual(heard, [['news', 'hello'], ['n?ws', 'news', 'hello'], ['other:*', 'other:1', 'pattern only'], ['sport', 'last']]);
  assert.equal(await listener.unsubscribe('news'), 3);
  assert.equal(await listener.punsubscribe('n?ws', 'other:*'), 1);
  assert.equal(await listener.unsubscribe(), 0);
  assert.equal(await redis.publish('news', 'unheard'), 0);
  assert.equal(await listener.set('normal', 'again'), 'OK');
});

test('streams and consumer groups', async () => {
  await redis.xgroup('CREATE', 'events', 'workers', '$', 'MKSTREAM');
  const reader = open();
  const waiting = reader.xreadgroup('GROUP', 'workers', 'one', 'COUNT', 10, 'BLOCK', 20000, 'STREAMS', 'events', '>');
  const id = await redis.xadd('events', '*', 'kind', 'first');
  assert.deepEqual(await waiting, [['events', [[id, ['kind', 'first']]]]]);
  assert.equal((await redis.xpending('events', 'workers'))[0], 1);
  assert.equal(await redis.xack('events', 'workers', id), 1);
  assert.equal(await reader.xread('BLOCK', 10, 'STREAMS', 'events', '$'), null);
});

test('a blocked pop is woken by another client', async () => {
  const blocked = open();
  await blocked.ping();
  const popped = blocked.blpop('queue', 'second', 20);
  await redis.rpush('second', 'woken');
  assert.deepEqual(await popped, ['second', 'woken']);
  const moved = blocked.blmove('from', 'to', 'LEFT', 'RIGHT', 20);
  await redis.rpush('from', 'moved');
  assert.equal(await moved, 'moved');
  assert.equal(await blocked.blpop('queue', 0.05), null);
  assert.equal(await blocked.get('none'), null);
});

test('scripts', async () => {
  redis.defineCommand('addTo', { numberOfKeys: 1, lua: "return {redis.call('incrby', KEYS[1], ARGV[1]), ARGV[2], KEYS[1]}" });
  assert.deepEqual(await redis.addTo('sum', 4, 'ünï'), [4, 'ünï', 'sum']);
  assert.deepEqual(await redis.addTo('sum', 4, 'x'), [8, 'x', 'sum']);
  assert.deepEqual(await redis.pipeline().addTo('sum', 1, 'x').addTo('sum', 1, 'x').exec(), [[null, [9, 'x', 'sum']], [null, [10, 'x', 'sum']]]);
  assert.deepEqual(await redis.multi().addTo('sum', 1, 'x').exec(), [[null, [11, 'x', 'sum']]]);
  assert.equal(await redis.eval("return redis.call('get', KEYS[1])", 1, 'sum'), '11');
  await assert.rejects(redis.eval("return redis.error_reply('MINE own')", 0), /MINE own/);
  await assert.rejects(redis.evalsha('0'.repeat(40), 0), /NOSCRIPT/);
});

test('a script that publishes', async () => {
  const listener = open();
  await listener.subscribe('unlocked');
  const message = new Promise((resolve) => { listener.once('message', (channel, text) => { resolve([channel, text]); }); });
  redis.defineCommand('unlock', { numberOfKeys: 2, lua: "return redis.call('publish', KEYS[2], ARGV[1])" });
  assert.equal(await redis.unlock('lock', 'unlocked', 'mine'), 1);
  assert.deepEqual(await message, ['unlocked', 'mine']);
});

test('a stream of keys', async () => {
  await redis.mset(Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`scan:${i}`, 'x'])));
  await redis.set('beside', 'x');
  const found = new Set();
  for await (const keys of redis.scanStream({ match: 'scan:*', count: 100 })) keys.forEach((k) => found.add(k));
  assert.equal(found.size, 1500);
});

// The connection that ended may be counted as a listener for a moment more.
async function publishUntil(heard, channel, text) {
  let done = false;
  heard.then(() => { done = true; });
  while (!done) await redis.publish(channel, text);
}

test('a client whose connection ends comes back with its subscriptions', async () => {
  const client = open({ retryStrategy: () => 10 });
  let message;
  const heard = new Promise((resolve) => { message = resolve; });
  client.on('message', (channel, text) => message([channel, text]));
  await client.subscribe('after');
  client.stream.destroy();
  await once(client, 'ready');
  await publishUntil(heard, 'after', 'the storm');
  assert.deepEqual(await heard, ['after', 'the storm']);

  const plain = open({ retryStrategy: () => 10 });
  await plain.set('kept', 'yes');
  plain.stream.destroy();
  assert.equal(await plain.get('kept'), 'yes');
});
