// node-redis (https://github.com/redis/node-redis) with RESP3 through the
// proxy, on an empty workspace. The connection string comes from URL, the
// authority's certificate from the file CA.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { createClient, defineScript } from 'redis';

const ca = readFileSync(process.env.CA, 'utf8');
const clients = [];

const addTo = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: "return {redis.call('incrby', KEYS[1], ARGV[1]), ARGV[1]}",
  parseCommand(parser, key, n) {
    parser.pushKey(key);
    parser.push(String(n));
  },
  transformReply: (reply) => reply,
});

async function open(options = {}) {
  const client = createClient({
    url: process.env.URL, RESP: 3, scripts: { addTo }, ...options,
    socket: { tls: true, ca, reconnectStrategy: () => 10 },
  });
  client.on('error', () => {}); // a lost connection, which some tests make
  await client.connect();
  clients.push(client);
  return client;
}

let redis;
before(async () => { redis = await open(); });
beforeEach(() => redis.flushDb());
after(() => clients.forEach((c) => c.destroy()));

test('values of every type, as RESP3 has them', async () => {
  assert.equal((await redis.sendCommand(['HELLO'])).proto, 3);
  assert.equal(await redis.set('s', 'ünï'), 'OK');
  assert.equal(await redis.get('s'), 'ünï');
  assert.equal(await redis.get('none'), null);
  await redis.hSet('h', { a: '1', b: '2' });
  assert.deepEqual({ ...(await redis.hGetAll('h')) }, { a: '1', b: '2' });
  await redis.zAdd('z', [{ score: 1.5, value: 'one' }, { score: 2, value: 'two' }]);
  assert.equal(await redis.zScore('z', 'one'), 1.5);
  assert.deepEqual((await redis.zRangeWithScores('z', 0, -1)).map((m) => ({ ...m })), [{ value: 'one', score: 1.5 }, { value: 'two', score: 2 }]);
  await redis.sAdd('set', ['a', 'b']);
  assert.deepEqual([...(await redis.sMembers('set'))].sort(), ['a', 'b']);
  await assert.rejects(redis.incr('s'), /ERR value is not an integer/);
  assert.equal(await redis.eval('redis.setresp(3) return true'), true);
  assert.equal(await redis.eval("redis.setresp(3) return {double = 3.25}"), 3.25);
});

test('commands of one turn are one pipeline', async () => {
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => redis.set(`k:${i}`, String(i)).then(() => redis.get(`k:${i}`))));
  assert.deepEqual(answers, Array.from({ length: 1000 }, (_, i) => String(i)));
  const piped = await redis.multi().set('a', '1').incr('a').get('a').execAsPipeline();
  assert.deepEqual(piped, ['OK', 2, '2']);
});

test('transactions', async () => {
  assert.deepEqual(await redis.multi().set('a', '1').incr('a').hSet('h', 'f', 'v').hGetAll('h').exec().then((r) => JSON.stringify(r)),
    '["OK",2,1,{"f":"v"}]');
  const other = await open();
  await redis.watch('a');
  await other.set('a', '100');
  await assert.rejects(redis.multi().incr('a').exec(), /watched keys has been changed/i);
  assert.equal(await redis.get('a'), '100');
});

test('channels and patterns, beside commands on one connection', async () => {
  const listener = await open();
  const heard = [];
  let last;
  const done = new Promise((resolve) => { last = resolve; });
  await listener.subscribe('news', (message, channel) => heard.push([channel, message]));
  await listener.pSubscribe('n?ws', (message, channel) => heard.push(['n?ws', channel, message]));
  await listener.sSubscribe('shard', (message, channel) => { heard.push([channel, message]); last(); });
  assert.equal(await listener.set('while', 'subscribed'), 'OK');
  assert.equal(await redis.publish('news', 'hello'), 2);
  assert.equal(await redis.sPublish('shard', 'last'), 1);
  await done;
  assert.deepEqual(heard, [['news', 'hello'], ['n?ws', 'news', 'hello'], ['shard', 'last']]);
  assert.deepEqual(await redis.pubSubChannels(), ['news']);
  await listener.unsubscribe('news');
  await listener.pUnsubscribe('n?ws');
  await listener.sUnsubscribe('shard');
  assert.equal(await redis.publish('news', 'unheard'), 0);
  assert.equal(await listener.get('while'), 'subscribed');
});

test('streams and consumer groups', async () => {
  await redis.xGroupCreate('events', 'workers', '$', { MKSTREAM: true });
  const reader = await open();
  const waiting = reader.xReadGroup('workers', 'one', { key: 'events', id: '>' }, { COUNT: 10, BLOCK: 20000 });
  const id = await redis.xAdd('events', '*', { kind: 'first' });
  assert.match(JSON.stringify(await waiting), new RegExp(`events.*${id}.*"kind".*"first"`));
  assert.equal((await redis.xPending('events', 'workers')).pending, 1);
  assert.equal(await redis.xAck('events', 'workers', id), 1);
  assert.equal(await reader.xRead({ key: 'events', id: '$' }, { BLOCK: 10 }), null);
});

test('a blocked pop is woken by another client', async () => {
  const blocked = await open();
  const popped = blocked.blPop(['queue', 'second'], 20);
  await redis.rPush('second', 'woken');
  assert.deepEqual({ ...(await popped) }, { key: 'second', element: 'woken' });
  assert.equal(await blocked.blPop('queue', 0.05), null);
  const smallest = blocked.bzPopMin('z', 20);
  await redis.zAdd('z', { score: 7, value: 'm' });
  assert.deepEqual({ ...(await smallest) }, { key: 'z', value: 'm', score: 7 });
});

test('scripts', async () => {
  assert.deepEqual(await redis.addTo('sum', 4), [4, '4']);
  assert.deepEqual(await redis.addTo('sum', 4), [8, '4']);
  assert.deepEqual(await redis.multi().addTo('sum', 1).exec(), [[9, '1']]);
  assert.equal(await redis.eval("return redis.call('get', KEYS[1])", { keys: ['sum'] }), '9');
});

test('keys by a pattern', async () => {
  await redis.mSet(Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`scan:${i}`, 'x'])));
  await redis.set('beside', 'x');
  const found = new Set();
  for await (const keys of redis.scanIterator({ MATCH: 'scan:*', COUNT: 100 })) keys.forEach((k) => found.add(k));
  assert.equal(found.size, 1500);
});

test('a client-side cache hears of changes', async () => {
  const cached = await open({ clientSideCache: { ttl: 0, maxEntries: 10 } });
  await redis.set('seen', 'old');
  assert.equal(await cached.get('seen'), 'old');
  await redis.set('seen', 'new');
  const deadline = Date.now() + 10000;
  // A cached answer comes without a turn in which the invalidation could.
  const turn = () => new Promise((resolve) => { setImmediate(resolve); });
  while ((await cached.get('seen')) !== 'new' && Date.now() < deadline) await turn();
  assert.equal(await cached.get('seen'), 'new');

  // What the server tells of the client's own transaction is not within its reply.
  assert.deepEqual(await cached.multi().set('seen', 'own').hSet('own', 'field', 'value').hGetAll('own').exec(), ['OK', 1, { field: 'value' }]);
  while ((await cached.get('seen')) !== 'own' && Date.now() < deadline) await turn();
  assert.equal(await cached.get('seen'), 'own');
});

test('a client whose connection ends comes back with its subscriptions', async () => {
  const client = await open();
  let message;
  const heard = new Promise((resolve) => { message = resolve; });
  await client.subscribe('after', message);
  const back = new Promise((resolve) => client.once('ready', resolve));
  await client.sendCommand(['QUIT']).catch(() => {});
  await back;
  let done = false;
  heard.then(() => { done = true; });
  while (!done) await redis.publish('after', 'the storm');
  assert.equal(await heard, 'the storm');
  assert.equal(await client.ping(), 'PONG');
});
