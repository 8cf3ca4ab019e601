import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SocketTransport } from '../../src/net/socket-transport.js';

let server: Server;
let peer: Socket;
let transport: SocketTransport;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  peer = connect((server.address() as AddressInfo).port, '127.0.0.1');
  peer.pause();
  transport = new SocketTransport((await accepted)[0] as Socket, null);
});

afterEach(async () => {
  transport.destroy();
  peer.destroy();
  server.close();
  await once(server, 'close');
});

it('what the kernel takes at once is free at once, and told once', async () => {
  let told = 0;
  const bytes = Buffer.from('hello');
  transport.write(bytes, () => told++);
  expect(told).toBe(1);
  expect(transport.pendingBytes).toBe(0);
  bytes.fill('x');
  const [chunk] = await once(peer.resume(), 'data');
  expect(String(chunk)).toBe('hello');
  expect(told).toBe(1);
});

it('what the kernel does not take is kept until it does, in order', async () => {
  const size = 1024 * 1024;
  const told: number[] = [];
  let count = 0;
  for (; transport.pendingBytes === 0; count++) {
    const at = count;
    transport.write(Buffer.alloc(size, at), () => told.push(at));
  }
  // Behind one that waits, the smallest waits as well.
  transport.write(Buffer.of(255), () => told.push(count));
  expect(told).toEqual(Array.from({ length: count - 1 }, (_, i) => i));
  expect(transport.pendingBytes).toBe(size + 1);
  let received = 0;
  let last = 0;
  for await (const chunk of peer) {
    for (const value of [chunk[0], chunk.at(-1)]) {
      expect(value).toBeGreaterThanOrEqual(last);
      last = value;
    }
    received += chunk.length;
    if (received === count * size + 1) break;
  }
  expect(last).toBe(255);
  await expect.poll(() => told).toEqual(Array.from({ length: count + 1 }, (_, i) => i));
  expect(transport.pendingBytes).toBe(0);
});

it('a connection that is gone takes nothing, and says so later', async () => {
  transport.destroy();
  let told = 0;
  transport.write(Buffer.from('x'), () => told++);
  expect(told).toBe(0);
  await expect.poll(() => told).toBe(1);
  expect(transport.pendingBytes).toBe(0);
});
