// BullMQ (https://docs.bullmq.io) runs a queue through the proxy, on an empty
// workspace. The connection string comes from URL, the authority's certificate
// from the file CA.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const open = [];
const connections = [];
const opened = (thing) => { open.push(thing); return thing; };

// BullMQ leaves a connection that was given to it to its giver.
function connect() {
  const connection = new Redis(process.env.URL, { tls: { ca: readFileSync(process.env.CA, 'utf8') }, maxRetriesPerRequest: null });
  connections.push(connection);
  return connection;
}

const connection = connect();

after(async () => {
  for (const thing of open.reverse()) await thing.close();
  for (const c of connections) c.disconnect();
});

test('200 jobs, one delayed, one that fails twice, and their events', { timeout: 60000 }, async () => {
  const queue = opened(new Queue('mail', { connection }));
  const events = opened(new QueueEvents('mail', { connection: connect() }));
  await events.waitUntilReady();
  const completed = new Map();
  const delayed = [];
  let allDone;
  const done = new Promise((resolve) => { allDone = resolve; });
  events.on('completed', ({ jobId, returnvalue }) => {
    completed.set(jobId, returnvalue);
    if (completed.size === 202) allDone();
  });
  events.on('delayed', ({ jobId }) => delayed.push(jobId));

  await queue.addBulk(Array.from({ length: 200 }, (_, n) => ({ name: 'send', data: { n }, opts: { jobId: `job-${n}` } })));
  const began = Date.now();
  await queue.add('later', { n: 1000 }, { jobId: 'later', delay: 300 });
  await queue.add('stubborn', { n: 2000 }, { jobId: 'stubborn', attempts: 3 });
  let laterAt = 0;
  const failures = [];
  const worker = opened(new Worker('mail', async (job) => {
    await job.updateProgress(50);
    if (job.name === 'later') laterAt = Date.now();
    if (job.name === 'stubborn' && job.attemptsMade < 2) throw new Error(`attempt ${job.attemptsMade}`);
    return job.data.n * 2;
  }, { connection: connect(), concurrency: 8 }));
  worker.on('failed', (job, error) => failures.push(error.message));
  await done;

  for (let n = 0; n < 200; n++) assert.equal(completed.get(`job-${n}`), n * 2);
  assert.equal(completed.get('later'), 2000);
  assert.equal(completed.get('stubborn'), 4000);
  assert.ok(laterAt - began >= 295, `the delayed job ran after ${laterAt - began} ms`);
  assert.deepEqual(delayed, ['later']);
  assert.deepEqual(failures, ['attempt 0', 'attempt 1']);
  assert.deepEqual(await queue.getJobCounts('completed', 'failed', 'waiting', 'active', 'delayed'),
    { completed: 202, failed: 0, waiting: 0, active: 0, delayed: 0 });
  assert.equal((await queue.getJob('job-7')).returnvalue, 14);
});

test('a flow waits for its children', { timeout: 60000 }, async () => {
  const flows = opened(new FlowProducer({ connection }));
  const results = opened(new QueueEvents('parents', { connection: connect() }));
  await results.waitUntilReady();
  opened(new Worker('children', async (job) => job.data.n, { connection: connect() }));
  opened(new Worker('parents', async (job) => Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0), { connection: connect() }));
  const { job } = await flows.add({
    name: 'sum', queueName: 'parents', children: [1, 2, 3, 4].map((n) => ({ name: 'part', queueName: 'children', data: { n } })),
  });
  assert.equal(await job.waitUntilFinished(results, 30000), 10);
});
