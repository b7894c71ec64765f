// Postgres.js (https://github.com/porsager/postgres), which pipelines and
// prepares whatever it can, through the proxy.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import postgres from 'postgres';

const ssl = { ca: readFileSync(process.env.CA, 'utf8') };
const options = { ssl, max: 5, onnotice: () => {} };
const url = process.env.URL.replace(/\?.*/, '');
for (const name of Object.keys(process.env).filter((n) => n.startsWith('PG'))) delete process.env[name];

const sql = postgres(url, options);

before(() => sql`CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE, tags text[], doc jsonb, at timestamptz)`);
after(() => sql.end());

test('parameters, inserts of many and types', async () => {
  const at = new Date('2024-05-06T07:08:09.123Z');
  const people = [
    { name: 'Ann', tags: ['a', 'b'], doc: sql.json({ x: [1] }), at },
    { name: 'Bob', tags: [], doc: sql.json(null), at },
  ];
  const inserted = await sql`INSERT INTO users ${sql(people, 'name', 'tags', 'doc', 'at')} RETURNING id, name, tags, doc, at`;
  assert.deepEqual([...inserted], [
    { id: 1, name: 'Ann', tags: ['a', 'b'], doc: { x: [1] }, at },
    { id: 2, name: 'Bob', tags: [], doc: null, at },
  ]);
  const found = await sql`SELECT name FROM users WHERE name IN ${sql(['Ann', 'Zed'])} AND id = ANY(${[1, 2]})`;
  assert.deepEqual([...found], [{ name: 'Ann' }]);
});

test('a pipeline of many', async () => {
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => sql`SELECT ${i}::int AS n`));
  assert.deepEqual(answers.map((a) => a[0].n), Array.from({ length: 300 }, (_, i) => i));
});

test('errors in a pipeline hit their own query alone', async () => {
  const one = postgres(url, { ...options, max: 1 });
  const answers = await Promise.allSettled([
    one`SELECT 1 AS n`,
    one`SELECT nothing`,
    one`SELECT 1 / ${0}::int`,
    one`INSERT INTO users (name) VALUES ('Ann')`,
    one`SELECT 2 AS n`,
  ]);
  assert.deepEqual(answers.map((a) => a.value?.[0]?.n ?? a.reason.code), [1, '42703', '22012', '23505', 2]);
  await one.end();
});

test('transactions and savepoints', async () => {
  await sql.begin(async (tx) => {
    await tx`CREATE TABLE kept (id int)`;
    await tx.savepoint(async (sp) => {
      await sp`CREATE TABLE undone (id int)`;
      await sp`SELECT 1 / 0`;
    }).catch((err) => assert.equal(err.code, '22012'));
    await tx`INSERT INTO kept VALUES (1)`;
  });
  await assert.rejects(sql.begin(async (tx) => {
    await tx`INSERT INTO kept VALUES (2)`;
    throw new Error('no');
  }), /no/);
  assert.deepEqual([...(await sql`SELECT to_regclass('undone') AS undone, (SELECT count(*)::int FROM kept) AS n`)], [{ undone: null, n: 1 }]);
});

test('simple queries give several results', async () => {
  const results = await sql`SELECT 1 AS a; SELECT 2 AS b`.simple();
  assert.deepEqual(results.map((r) => [...r]), [[{ a: 1 }], [{ b: 2 }]]);
});

test('a cursor', async () => {
  let sum = 0;
  await sql`SELECT g FROM generate_series(1, 95) g`.cursor(10, (rows) => { sum += rows.length; });
  assert.equal(sum, 95);
  let first = 0;
  await sql`SELECT g FROM generate_series(1, 95) g`.cursor(10, (rows) => { first += rows.length; return sql.CLOSE; });
  assert.equal(first, 10);
});

test('copy in and out', async () => {
  await sql`CREATE TABLE copied (id int, v text)`;
  const lines = Array.from({ length: 2000 }, (_, i) => `${i}\tv${i}\n`);
  await pipeline(Readable.from(lines), await sql`COPY copied FROM STDIN`.writable());
  const chunks = [];
  for await (const chunk of await sql`COPY (SELECT * FROM copied ORDER BY id) TO STDOUT`.readable()) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), lines.join(''));
});

test('listen and notify', async () => {
  let stop;
  const heard = new Promise((resolve) => { stop = sql.listen('news', resolve); });
  await stop;
  await sql.notify('news', 'hello');
  assert.equal(await heard, 'hello');
  await (await stop).unlisten();
});

test('cancel', async () => {
  const query = sql`SELECT pg_sleep(65)`;
  setTimeout(() => query.cancel(), 200);
  await assert.rejects(query, { code: '57014' });
  assert.equal((await sql`SELECT 1 AS n`)[0].n, 1);
});

test('reserved connections keep their session', async () => {
  const reserved = await sql.reserve();
  await reserved`SET my.own = 'value'`;
  assert.equal((await reserved`SELECT current_setting('my.own') AS v`)[0].v, 'value');
  reserved.release();
});
