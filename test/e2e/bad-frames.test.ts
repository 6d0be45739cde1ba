// Bytes that are not Kafka requests close their own connection, with a reason in the log, and disturb nobody else.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningDev } from './kvorum.ts';
import { kvorumOk, startDev } from './kvorum.ts';
import { cleanUp } from './processes.ts';

let cluster: RunningDev;
/** Was there before, and stays. */
let bystander: Socket | undefined;

async function open(): Promise<Socket> {
  const [host, port] = (cluster.bootstrap[0] ?? '').split(':');
  const socket = connect(Number(port), host as string);
  // The broker may reset the connection: closed is closed.
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

beforeAll(async () => {
  cluster = await startDev();
  bystander = await open();
  await kvorumOk(['topic', 'create', 'untouched', '--server', cluster.server]);
});
afterAll(async () => {
  bystander?.destroy();
  await cleanUp();
});

function frame(body: Buffer, size = body.length): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(size);
  return Buffer.concat([head, body]);
}

/** ApiVersions v0: key 18, version 0, the correlation id, no client id. */
function apiVersionsRequest(correlationId: number): Buffer {
  const body = Buffer.alloc(10);
  body.writeInt16BE(18, 0);
  body.writeInt32BE(correlationId, 4);
  body.writeInt16BE(-1, 8);
  return frame(body);
}

let nextCorrelationId = 100;

/** Sends a good request on the connection that was there before, and expects its answer. */
async function bystanderIsServed(): Promise<void> {
  const id = nextCorrelationId++;
  const socket = bystander as Socket;
  socket.write(apiVersionsRequest(id));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.readInt32BE(4)).toBe(id);
}

const produceHeader = Buffer.from('00000009000000010003616263', 'hex');

it.for([
  { name: 'a negative length', bytes: frame(Buffer.alloc(0), -5), reason: 'a frame of -5 bytes' },
  { name: 'length 0', bytes: frame(Buffer.alloc(0)), reason: 'a frame of 0 bytes' },
  {
    name: 'a length above socket.request.max.bytes',
    bytes: frame(Buffer.alloc(100), 2_000_000_000),
    reason: 'a frame of 2000000000 bytes, socket.request.max.bytes is 104857600',
  },
  { name: 'an HTTP request', bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'), reason: 'socket.request.max.bytes' },
  { name: 'a TLS handshake', bytes: Buffer.from('16030100f5010000f10303', 'hex'), reason: 'socket.request.max.bytes' },
  { name: 'garbage in a frame', bytes: frame(Buffer.from('garbage garbage garbage')), reason: 'bytes wanted' },
  { name: 'a frame without room for a header', bytes: frame(Buffer.from('ab')), reason: 'bytes wanted' },
  {
    name: 'an API that does not exist',
    bytes: frame(Buffer.from('7fff0000000000010000', 'hex')),
    reason: 'is not served',
  },
  {
    name: 'a request cut short',
    bytes: frame(Buffer.concat([produceHeader, Buffer.alloc(3)])),
    reason: 'bytes wanted',
  },
])('$name closes its connection only', async ({ bytes, reason }) => {
  const offender = await open();
  const from = `127.0.0.1:${offender.localPort}`;
  const closed = new Promise((resolve) => void offender.once('close', resolve));
  offender.write(bytes);
  await closed;
  await cluster.process.until(({ stderr }) => stderr.includes(`"peer":"${from}"`), 'log line');
  const line = cluster.process.stderr.split('\n').find((text) => text.includes(`"peer":"${from}"`)) ?? '';
  expect(JSON.parse(line)).toMatchObject({
    level: 'warn',
    event: 'connection-refused',
    reason: expect.stringContaining(reason),
  });
  await bystanderIsServed();
});

it('serves the others as before', async () => {
  const server = ['--server', cluster.server];
  await kvorumOk(['produce', 'untouched', ...server], 'still here\n');
  const read = await kvorumOk(['consume', 'untouched', '--from', 'beginning', '--exit', ...server]);
  expect(read).toBe('still here\n');
});
