// MariaDB Connector/Node.js (https://mariadb.com/docs/connectors/mariadb-connector-nodejs)
// through the proxy. The connection string comes from URL, the authority's
// certificate from the file CA.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import mariadb from 'mariadb';

const url = new URL(process.env.URL);
const login = {
  host: '127.0.0.1',
  port: Number(url.port),
  user: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
  database: url.pathname.slice(1),
  ssl: { ca: readFileSync(process.env.CA, 'utf8'), checkServerIdentity: () => undefined },
};
const pool = mariadb.createPool({ ...login, connectionLimit: 5, multipleStatements: true });
const connections = [];

async function connect(options = {}) {
  const connection = await mariadb.createConnection({ ...login, ...options });
  connections.push(connection);
  return connection;
}

const only = async (connection, sql) => Object.values((await connection.query(sql))[0])[0];

before(() => pool.query(`CREATE TABLE connector_users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80) NOT NULL UNIQUE,
  balance DECIMAL(12,2), at DATETIME(3), raw BLOB, big BIGINT UNSIGNED)`));
after(async () => {
  await pool.query('DROP TABLE connector_users');
  connections.forEach((c) => c.destroy());
  return pool.end();
});

test('an unknown authority is refused', async () => {
  await assert.rejects(connect({ ssl: true }), /certificate/);
});

test('a client without TLS is told', async () => {
  await assert.rejects(connect({ ssl: false }), { errno: 3159 });
});

test('a wrong login is told', async () => {
  for (const bad of [{ password: 'wrong' }, { database: 'nowhere' }]) {
    await assert.rejects(connect(bad), { errno: 1045, sqlState: '28000' });
  }
});

const row = {
  name: 'ünï \'" \\ 😀', balance: '1234567890.12', at: new Date(2024, 1, 29, 12, 30, 15, 123),
  raw: Buffer.from([0, 1, 255, 10, 13]), big: 18446744073709551615n,
};

for (const way of ['query', 'execute']) {
  test(`values of every type by ${way}`, async () => {
    const connection = await connect();
    const names = Object.keys(row);
    const { insertId, affectedRows } = await connection[way](
      `INSERT INTO connector_users (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`, Object.values(row));
    assert.equal(affectedRows, 1);
    const [got] = await connection[way](`SELECT ${names.join(', ')} FROM connector_users WHERE id = ?`, [insertId]);
    assert.deepEqual({ ...got }, row);
    await assert.rejects(connection[way]('INSERT INTO connector_users (name) VALUES (?)', [row.name]), { errno: 1062, sqlState: '23000' });
    await connection[way]('DELETE FROM connector_users WHERE id = ?', [insertId]);
    await connection.end();
  });
}

test('rows in one batch', async () => {
  const connection = await connect();
  const names = Array.from({ length: 300 }, (_, i) => [`batch ${i}`]);
  await connection.batch('INSERT INTO connector_users (name) VALUES (?)', names);
  assert.equal(Number(await only(connection, 'SELECT COUNT(*) FROM connector_users')), 300);
  await connection.query('DELETE FROM connector_users');
  await connection.end();
});

test('statements sent ahead, and rows streamed', async () => {
  const connection = await connect();
  const got = await Promise.all(Array.from({ length: 50 }, (_, i) => connection.execute('SELECT ? + 0 AS n', [i])));
  assert.deepEqual(got.map(([r]) => Number(r.n)), Array.from({ length: 50 }, (_, i) => i));
  let sum = 0;
  for await (const r of connection.queryStream('WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n')) {
    sum += Number(r.i);
  }
  assert.equal(sum, 405450);
  await connection.end();
});

test('transactions, reset, another user', async () => {
  const connection = await connect();
  await connection.beginTransaction();
  await connection.query('INSERT INTO connector_users (name) VALUES (?)', ['undone']);
  await connection.rollback();
  assert.equal(Number(await only(connection, 'SELECT COUNT(*) FROM connector_users')), 0);
  await connection.query('SET @mine = 1');
  await connection.reset();
  assert.equal(await only(connection, 'SELECT @mine'), null);
  if (!connection.info.isMariaDB()) return; // of MySQL the connector changes no user
  await connection.query('SET @mine = 2');
  await connection.changeUser({ user: login.user, password: login.password, database: login.database });
  assert.equal(await only(connection, 'SELECT @mine'), null);
  assert.equal(await only(connection, 'SELECT DATABASE()'), login.database);
  await assert.rejects(connection.changeUser({ user: login.user, password: 'wrong', database: login.database }), { errno: 1045 });
});

test('a pool under load', async () => {
  const got = await Promise.all(Array.from({ length: 200 }, (_, i) => pool.query('SELECT ? AS n', [i])));
  assert.deepEqual(got.map(([r]) => Number(r.n)), Array.from({ length: 200 }, (_, i) => i));
});

test('a login without a database is one to the whole project', async () => {
  const connection = await connect({ database: undefined, multipleStatements: true });
  assert.equal(await only(connection, 'SELECT DATABASE()'), null);
  await connection.ping();
  const [first, second] = await connection.query('SELECT 1 AS one; SELECT 2 AS two');
  assert.deepEqual([Number(first[0].one), Number(second[0].two)], [1, 2]);
  const version = await only(pool, 'SELECT @@version_comment');
  const statement = await connection.prepare('SELECT @@version_comment AS v');
  assert.equal((await statement.execute())[0].v, version);
  const named = await connection.prepare('SELECT CONCAT(?) AS v, SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?');
  for (const v of ['text', null, 7, 'longer text']) {
    const [row] = await named.execute([v, login.database]);
    assert.deepEqual([row.v, row.name], [v === null ? null : String(v), login.database]);
  }
  await assert.rejects(connection.query('SHOW TABLES'), { errno: 1046 });
  await assert.rejects(connection.execute('SELECT * FROM connector_users'), { errno: 1046 });
  assert.match(String(await only(connection, 'SHOW GRANTS')), /^GRANT /);
  await connection.query("SET @mine = 'kept'");
  await connection.query(`USE \`${login.database}\``);
  assert.equal(await only(connection, 'SELECT CONCAT(@mine, DATABASE())'), `kept${login.database}`);
  assert.equal((await statement.execute())[0].v, version);
  for (const v of [null, 7, 'text', 'longer text', null]) {
    const [row] = await named.execute([v, login.database]);
    assert.deepEqual([row.v, row.name], [v === null ? null : String(v), login.database]);
  }
  statement.close();
  named.close();
  await connection.end();
});
