// The other end of a link: connects to where its first argument says, reads frames, and reports what that cost.
import { connect } from 'node:net';
import { ECHO, readFrames } from './frame.js';

export interface PeerReport {
  messages: number;
  /** CPU of this process since the report before. */
  cpuMs: number;
}

const READ_BYTES = 256 * 1024;
const address = process.argv[2];
const space = Buffer.allocUnsafeSlow(2 * READ_BYTES);
/** What is left of the chunk before ends here, where the next one is read to. */
const incoming = space.subarray(READ_BYTES);
let left = 0;
let messages = 0;
let cpu = process.cpuUsage();

const socket = connect({
  ...(address.startsWith('/') ? { path: address } : { port: Number(address), host: '127.0.0.1' }),
  onread: {
    buffer: incoming,
    callback(length) {
      const start = READ_BYTES - left;
      const end = READ_BYTES + length;
      const done = readFrames(space.subarray(start, end), end - start, (bytes, at, next) => {
        messages++;
        if (bytes[at + 10] === ECHO) socket.write(Buffer.from(bytes.subarray(at, next)));
      });
      left = end - start - done;
      space.copyWithin(READ_BYTES - left, start + done, end);
      return true;
    },
  },
});

process.on('message', () => {
  const { user, system } = process.cpuUsage(cpu);
  const report: PeerReport = { messages, cpuMs: (user + system) / 1000 };
  process.send!(report);
  cpu = process.cpuUsage();
  messages = 0;
});
process.on('disconnect', () => process.exit(0));
