// node-postgres (https://node-postgres.com) through the proxy. The login comes
// from the PG* variables, the connection string from URL, the authority's
// certificate from the file CA.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import pg from 'pg';
import copy from 'pg-copy-streams';
import Cursor from 'pg-cursor';

const ssl = { ca: readFileSync(process.env.CA, 'utf8') };
const login = {
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  user: process.env.PGUSER,
  password: process.env.PGPASSWORD,
  database: process.env.PGDATABASE,
  ssl,
};
// The variables would win over what is given here.
for (const name of ['PGSSLMODE', 'PGSSLROOTCERT']) delete process.env[name];

const pool = new pg.Pool({ ...login, max: 10 });

before(() => pool.query('CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE, tags text[], doc jsonb, at timestamptz)'));
after(() => pool.end());

test('the connection string works as it is', async () => {
  const url = new URL(process.env.URL);
  url.searchParams.delete('sslmode');
  const client = new pg.Client({ connectionString: url.toString(), ssl });
  await client.connect();
  assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
  await client.end();
});

test('an unknown authority is refused', async () => {
  await assert.rejects(new pg.Client({ ...login, ssl: true }).connect(), /certificate/);
});

test('the certificate is bound to the password', async () => {
  const client = new pg.Client({ ...login, enableChannelBinding: true });
  await client.connect();
  assert.equal((await client.query('SELECT 1')).rowCount, 1);
  await client.end();
});

test('a wrong password is told', async () => {
  await assert.rejects(new pg.Client({ ...login, password: 'wrong' }).connect(), { code: '28P01' });
});

test('parameters and types', async () => {
  const at = new Date('2024-05-06T07:08:09.123Z');
  const inserted = await pool.query(
    'INSERT INTO users (name, tags, doc, at) VALUES ($1, $2, $3, $4) RETURNING *',
    ["O'Neil \\ ünï", ['a', 'b,c', null], { nested: [1, { two: null }] }, at],
  );
  assert.equal(inserted.command, 'INSERT');
  assert.deepEqual(inserted.rows, [
    { id: 1, name: "O'Neil \\ ünï", tags: ['a', 'b,c', null], doc: { nested: [1, { two: null }] }, at },
  ]);
  const { rows, fields } = await pool.query({ text: 'SELECT $1::int8 AS big, $2::bytea AS raw', values: ['9007199254740993', Buffer.from([0, 255])], rowMode: 'array' });
  assert.deepEqual(rows, [['9007199254740993', Buffer.from([0, 255])]]);
  assert.deepEqual(fields.map((f) => f.name), ['big', 'raw']);
});

test('many at once', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => pool.query('SELECT $1::int AS n', [i])));
  assert.deepEqual(answers.map((a) => a.rows[0].n), Array.from({ length: 200 }, (_, i) => i));
});

test('named prepared statements', async () => {
  const client = await pool.connect();
  try {
    for (let i = 0; i < 5; i++) {
      const { rows } = await client.query({ name: 'twice', text: 'SELECT $1::int * 2 AS n', values: [i] });
      assert.deepEqual(rows, [{ n: i * 2 }]);
    }
    const { rows } = await client.query("SELECT count(*)::int AS n FROM pg_prepared_statements WHERE name = 'twice'");
    assert.deepEqual(rows, [{ n: 1 }]);
  } finally {
    client.release();
  }
});

test('several statements at once give several results', async () => {
  const results = await pool.query('SELECT 1 AS a; SELECT 2 AS b; SELECT 3 AS c WHERE false');
  assert.deepEqual(results.map((r) => r.rows), [[{ a: 1 }], [{ b: 2 }], []]);
});

test('errors have their fields, and the connection goes on', async () => {
  const client = await pool.connect();
  try {
    await assert.rejects(client.query('SELECT nothing FROM users'), { code: '42703', position: '8', severity: 'ERROR' });
    await client.query("INSERT INTO users (name) VALUES ('dup')");
    await assert.rejects(client.query("INSERT INTO users (name) VALUES ('dup')"), {
      code: '23505', constraint: 'users_name_key', table: 'users', schema: 'public', detail: 'Key (name)=(dup) already exists.',
    });
    assert.equal((await client.query('SELECT 1')).rowCount, 1);
  } finally {
    client.release();
  }
});

test('transactions roll back', async () => {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('CREATE TABLE gone (id int)');
    await client.query('SAVEPOINT s');
    await assert.rejects(client.query('SELECT 1 / 0'), { code: '22012' });
    await client.query('ROLLBACK TO s');
    await client.query('ROLLBACK');
    assert.deepEqual((await client.query("SELECT to_regclass('gone') AS gone")).rows, [{ gone: null }]);
  } finally {
    client.release();
  }
});

test('a cursor reads in pieces', async () => {
  const client = await pool.connect();
  try {
    const cursor = client.query(new Cursor('SELECT g FROM generate_series(1, $1::int) g', [250]));
    const sizes = [];
    let sum = 0;
    for (let rows = await cursor.read(100); rows.length > 0; rows = await cursor.read(100)) {
      sizes.push(rows.length);
      sum += rows.reduce((s, r) => s + r.g, 0);
    }
    assert.deepEqual(sizes, [100, 100, 50]);
    assert.equal(sum, (250 * 251) / 2);
    await cursor.close();
    const early = client.query(new Cursor('SELECT g FROM generate_series(1, 1000) g'));
    assert.equal((await early.read(10)).length, 10);
    await early.close();
    assert.equal((await client.query('SELECT 1')).rowCount, 1);
  } finally {
    client.release();
  }
});

test('queries queued on one client, some of them wrong, answer in order', async () => {
  const client = new pg.Client({ ...login, pipelineMode: true });
  await client.connect();
  const answers = await Promise.allSettled([
    client.query('SELECT $1::int AS n', [1]),
    client.query('SELECT 1 / $1::int', [0]),
    client.query('CREATE TABLE piped (id int)'),
    client.query({ name: 'ins', text: 'INSERT INTO piped VALUES ($1) RETURNING id', values: [7] }),
    client.query({ name: 'ins', text: 'INSERT INTO piped VALUES ($1) RETURNING id', values: [8] }),
    client.query('SELECT count(*)::int AS n FROM piped'),
  ]);
  assert.deepEqual(answers.map((a) => a.value?.rows ?? a.reason.code), [[{ n: 1 }], '22012', [], [{ id: 7 }], [{ id: 8 }], [{ n: 2 }]]);
  await client.end();
});

test('copy in and out', async () => {
  const client = await pool.connect();
  try {
    await client.query('CREATE TABLE copied (id int, v text)');
    const lines = Array.from({ length: 5000 }, (_, i) => `${i}\tvalue ${i} ünï\n`);
    const into = client.query(copy.from('COPY copied FROM STDIN'));
    await pipeline(Readable.from(lines), into);
    assert.equal(into.rowCount, 5000);
    const out = client.query(copy.to('COPY (SELECT * FROM copied ORDER BY id) TO STDOUT'));
    const chunks = [];
    for await (const chunk of out) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), lines.join(''));
    await assert.rejects(pipeline(Readable.from(['not a number\tx\n']), client.query(copy.from('COPY copied FROM STDIN'))), { code: '22P02' });
    assert.equal((await client.query('SELECT 1')).rowCount, 1);
  } finally {
    client.release();
  }
});

test('listen and notify', async () => {
  const client = new pg.Client(login);
  await client.connect();
  const heard = new Promise((resolve) => client.on('notification', resolve));
  await client.query('LISTEN news');
  await pool.query("SELECT pg_notify('news', $1)", ['hello']);
  const { channel, payload } = await heard;
  assert.deepEqual({ channel, payload }, { channel: 'news', payload: 'hello' });
  await client.end();
});

test('notices', async () => {
  const client = new pg.Client(login);
  await client.connect();
  const heard = [];
  client.on('notice', (n) => heard.push(n.message));
  await client.query("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$");
  await client.query('CREATE TABLE noticed (id int)');
  await client.query('DROP TABLE IF EXISTS noticed, absent');
  assert.deepEqual(heard, ['one', 'two', 'table "absent" does not exist, skipping']);
  await client.end();
});

test('a large value both ways', async () => {
  const large = 'x'.repeat(8 << 20);
  const { rows } = await pool.query('SELECT $1::text AS v', [large]);
  assert.equal(rows[0].v, large);
});
