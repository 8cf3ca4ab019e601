import { createServer } from 'node:net';
import { Failure } from '../../base/failure.js';

const triesMax = 50;

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** `port`, or the next one after it that nobody listens on. */
export async function freePort(host: string, port: number): Promise<number> {
  for (let candidate = port; candidate < port + triesMax; candidate++) {
    if (await isFree(host, candidate)) return candidate;
  }
  throw new Failure('demo-port', `ports ${port} to ${port + triesMax - 1} on ${host} are all taken`);
}
