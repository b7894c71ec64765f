// mysql2 (https://sidorares.github.io/node-mysql2) through the proxy, on an
// empty workspace. The connection string comes from URL, the authority's
// certificate from the file CA.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';

const url = new URL(process.env.URL);
const ssl = { ca: readFileSync(process.env.CA, 'utf8'), verifyIdentity: false };
const login = {
  host: '127.0.0.1',
  port: Number(url.port),
  user: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
  database: url.pathname.slice(1),
  ssl,
};
const pool = mysql.createPool({ ...login, connectionLimit: 10, multipleStatements: true });

const connections = [];

async function connect(options = {}) {
  const connection = await mysql.createConnection({ ...login, ...options });
  connections.push(connection);
  return connection;
}

before(() => pool.query(`CREATE TABLE users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80) NOT NULL UNIQUE,
  balance DECIMAL(12,2), born DATE, at DATETIME(3), doc JSON, raw BLOB, big BIGINT UNSIGNED, bits BIT(10), yes TINYINT(1))`));
after(() => {
  connections.forEach((c) => c.destroy());
  return pool.end();
});

test('the connection string works as it is', async () => {
  const connection = await mysql.createConnection({ uri: process.env.URL, ssl });
  assert.deepEqual((await connection.query('SELECT 1 AS one'))[0], [{ one: 1 }]);
  await connection.end();
});

test('an unknown authority is refused', async () => {
  await assert.rejects(connect({ ssl: {} }), /certificate/);
});

test('a client without TLS is told', async () => {
  await assert.rejects(connect({ ssl: undefined }), { errno: 3159 });
});

test('a wrong login is told, and no more', async () => {
  const told = [];
  for (const bad of [{ password: 'wrong' }, { database: 'nowhere' }]) {
    await assert.rejects(connect(bad), (error) => told.push(error.message) && error.errno === 1045 && error.sqlState === '28000');
  }
  assert.equal(told[0], told[1]);
});

test('a login without a database is one to the whole project', async () => {
  const connection = await connect({ database: undefined });
  const only = async (sql) => Object.values((await connection.query(sql))[0][0])[0];
  assert.equal(await only('SELECT DATABASE()'), null);
  assert.equal(await only('SELECT @@version_comment LIMIT 1'), Object.values((await pool.query('SELECT @@version_comment'))[0][0])[0]);
  assert.equal(await only(`SHOW DATABASES LIKE '${login.database.replaceAll('_', '\\_')}'`), login.database);
  await connection.query("SET NAMES utf8mb4, @mine = 'kept'");
  await assert.rejects(connection.query('SHOW TABLES'), { errno: 1046 });
  await connection.query(`USE \`${login.database}\``);
  assert.equal(await only('SELECT CONCAT(@mine, DATABASE())'), `kept${login.database}`);
});

test('a login without a database runs several statements, prepares them, and changes its user', async () => {
  const connection = await connect({ database: undefined, multipleStatements: true });
  const [[first, second]] = await connection.query('SELECT 1 AS one; SELECT 2 AS two');
  assert.deepEqual([first, second], [[{ one: 1 }], [{ two: 2 }]]);
  const prepared = async () => (await connection.execute('SELECT 7 AS seven'))[0];
  assert.deepEqual(await prepared(), [{ seven: 7 }]);
  assert.deepEqual(await prepared(), [{ seven: 7 }]);
  const withValue = async (v) => (await connection.execute('SELECT ? AS v', [v]))[0][0].v;
  for (const v of ['text', null, 'longer text']) assert.equal(await withValue(v), v);
  assert.deepEqual((await connection.execute('SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?', [login.database]))[0],
    [{ name: login.database }]);
  await assert.rejects(connection.execute('SELECT * FROM users'), { errno: 1046 });
  await connection.query(`USE \`${login.database}\``);
  assert.deepEqual(await prepared(), [{ seven: 7 }]);
  for (const v of [null, 'text']) assert.equal(await withValue(v), v);

  const changed = await connect({ database: undefined });
  await changed.query('SET @mine = 1');
  await changed.changeUser({ user: login.user, password: login.password });
  assert.deepEqual((await changed.query('SELECT @mine AS mine, DATABASE() AS d'))[0], [{ mine: null, d: null }]);
  await changed.changeUser({ user: login.user, password: login.password, database: login.database });
  assert.deepEqual((await changed.query('SELECT DATABASE() AS d'))[0], [{ d: login.database }]);
  const wrong = await connect({ database: undefined });
  await assert.rejects(wrong.changeUser({ user: login.user, password: 'wrong' }), { errno: 1045 });
});

const row = {
  name: 'ünï \'" \\ 😀', balance: '1234567890.12', born: new Date(2024, 1, 29), at: new Date(2024, 1, 29, 12, 30, 15, 123),
  doc: { a: [1, null, 'x'] }, raw: Buffer.from([0, 1, 255, 10, 13]), big: '18446744073709551615', bits: Buffer.from([2, 5]), yes: 1,
};

for (const way of ['query', 'execute']) {
  test(`values of every type by ${way}`, async () => {
    const connection = await connect({ supportBigNumbers: true });
    const names = Object.keys(row);
    const values = Object.values({ ...row, doc: JSON.stringify(row.doc) });
    const [{ insertId, affectedRows }] = await connection[way](
      `INSERT INTO users (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`, values);
    assert.equal(affectedRows, 1);
    const [[got], fields] = await connection[way](`SELECT ${names.join(', ')} FROM users WHERE id = ?`, [insertId]);
    got.doc = typeof got.doc === 'string' ? JSON.parse(got.doc) : got.doc;
    assert.deepEqual({ ...got, big: String(got.big) }, row);
    assert.deepEqual(fields.map((f) => f.name), names);
    await assert.rejects(connection[way]('INSERT INTO users (name) VALUES (?)', [row.name]), { errno: 1062, sqlState: '23000' });
    await connection[way]('DELETE FROM users WHERE id = ?', [insertId]);
    await connection.end();
  });
}

test('prepared statements are used again, and closed', async () => {
  const connection = await connect({ maxPreparedStatements: 3 });
  for (let i = 0; i < 20; i++) {
    const [[got]] = await connection.execute(`SELECT ? + ${i % 5} AS n`, [i]);
    assert.equal(Number(got.n), i + (i % 5));
  }
  const statement = await connection.prepare('SELECT REPEAT(?, ?) AS r');
  for (const n of [0, 1, 250, 251, 70000]) {
    const [[got]] = await statement.execute(['x', n]);
    assert.equal(got.r.length, n);
  }
  await statement.close();
  await connection.end();
});

test('several results of one text, and of a procedure', async () => {
  const [results] = await pool.query('SELECT 1 AS a; DO 1; SELECT 2 AS b, 3 AS c');
  assert.deepEqual(results[0], [{ a: 1 }]);
  assert.equal(results[1].affectedRows, 0);
  assert.deepEqual(results[2], [{ b: 2, c: 3 }]);
  await pool.query('CREATE PROCEDURE several(IN n INT) BEGIN SELECT n; SELECT n + 1 AS m; END');
  for (const way of ['query', 'execute']) {
    const [both] = await pool[way]('CALL several(?)', [5]);
    assert.deepEqual([both[0], both[1]].map((r) => Number(Object.values(r[0])[0])), [5, 6]);
  }
  const single = await connect();
  await assert.rejects(single.query('SELECT 1; SELECT 2'), { errno: 1064 });
  assert.deepEqual((await single.query('SELECT 3 AS three'))[0], [{ three: 3 }]);
  await single.end();
});

test('rows are streamed', async () => {
  const connection = await connect();
  const stream = connection.connection
    .query('WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, REPEAT(\'x\', 1000) AS x FROM n')
    .stream({ highWaterMark: 5 });
  let sum = 0;
  for await (const got of stream) sum += got.i;
  assert.equal(sum, 405450);
  await connection.end();
});

test('large values both ways', async () => {
  const connection = await connect();
  const large = Buffer.alloc(20 << 20, 'abc\0');
  for (const way of ['query', 'execute']) {
    const [[got]] = await connection[way]('SELECT ? AS same, LENGTH(?) AS n', [large, large]);
    assert.equal(Number(got.n), large.length);
    assert.ok(Buffer.compare(Buffer.from(got.same), large) === 0);
  }
  await connection.end();
});

test('a file of the client is loaded', async () => {
  const connection = await connect({ flags: ['+LOCAL_FILES'] });
  const [{ affectedRows }] = await connection.query({
    sql: 'LOAD DATA LOCAL INFILE \'names\' INTO TABLE users (name)',
    infileStreamFactory: () => Readable.from([Buffer.from('one\ntwo\n'), Buffer.from('three\n')]),
  });
  assert.equal(affectedRows, 3);
  const [got] = await connection.query('SELECT name FROM users WHERE name IN (\'one\', \'two\', \'three\') ORDER BY id');
  assert.deepEqual(got.map((u) => u.name), ['one', 'two', 'three']);
  await connection.query('DELETE FROM users');
  await connection.end();
});

test('transactions', async () => {
  const connection = await connect();
  await connection.beginTransaction();
  await connection.query('INSERT INTO users (name) VALUES (?)', ['undone']);
  await connection.rollback();
  await connection.beginTransaction();
  await connection.query('INSERT INTO users (name) VALUES (?)', ['kept']);
  await connection.commit();
  assert.deepEqual((await pool.query('SELECT name FROM users'))[0], [{ name: 'kept' }]);
  await connection.query('DELETE FROM users');
  await connection.end();
});

test('a pool under load', async () => {
  const got = await Promise.all(Array.from({ length: 200 }, (_, i) => pool.execute('SELECT ? + 0 AS n, CONNECTION_ID() AS id', [i])));
  assert.deepEqual(got.map(([[r]]) => Number(r.n)), Array.from({ length: 200 }, (_, i) => i));
});

test('a connection is reset, and changes its user', async () => {
  const connection = await connect();
  await connection.query('SET @mine = 1');
  await connection.reset();
  assert.deepEqual((await connection.query('SELECT @mine AS mine'))[0], [{ mine: null }]);
  await connection.query('SET @mine = 2');
  await connection.changeUser({ user: login.user, password: login.password, database: login.database });
  assert.deepEqual((await connection.query('SELECT @mine AS mine, DATABASE() AS d'))[0], [{ mine: null, d: login.database }]);
  await assert.rejects(connection.changeUser({ user: login.user, password: 'wrong', database: login.database }), { errno: 1045 });
  connection.destroy();
});

test('another connection kills a statement by the number it was greeted with', async () => {
  const connection = await connect();
  const slept = connection.query('SELECT SLEEP(60) AS s');
  slept.catch(() => {}); // it may fail while the KILL's own answer is awaited
  const other = await connect();
  for (;;) {
    const [found] = await other.query('SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE INFO LIKE \'SELECT SLEEP(60)%\'');
    if (found[0].n > 0) break;
  }
  await other.query(`KILL QUERY ${connection.threadId}`);
  // Whether a killed SLEEP is an error is each server's own affair.
  await slept.then(([[got]]) => assert.equal(got.s, 1), (error) => assert.equal(error.errno, 1317));
  await connection.ping();
  await Promise.all([connection.end(), other.end()]);
});

test('an error leaves the connection as it was', async () => {
  const connection = await connect();
  await assert.rejects(connection.query('SELEC'), { errno: 1064, code: 'ER_PARSE_ERROR' });
  await assert.rejects(connection.execute('SELECT nothing FROM users'), { errno: 1054 });
  await assert.rejects(connection.query('USE mysql'), { errno: 1044 });
  await connection.query({ sql: 'SELECT SLEEP(0.01)', timeout: 30000 });
  assert.deepEqual((await connection.query('SELECT 1 AS one'))[0], [{ one: 1 }]);
  await connection.end();
});
