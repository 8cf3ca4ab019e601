// A load process: does what its parent orders, one order at a time, and answers each with a result or an error.
import { Asker } from './asker.js';
import { Consumer } from './consumer.js';
import { Idle } from './idle.js';
import { Newcomer } from './newcomer.js';
import { Publisher } from './publisher.js';
import { Requester, Responder } from './requests.js';
import { Subscriber } from './subscriber.js';

const roles = {
  publisher: new Publisher(),
  subscriber: new Subscriber((messages) => process.send!({ progress: messages })),
  requester: new Requester(),
  responder: new Responder(),
  idle: new Idle(),
  asker: new Asker(),
  consumer: new Consumer(),
  newcomer: new Newcomer(),
};

/** CPU time this process has used, in seconds. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

interface Order {
  id: number;
  role: keyof typeof roles | 'process';
  method: string;
  args: unknown[];
}

process.on('message', async ({ id, role, method, args }: Order) => {
  try {
    const target = role === 'process' ? { cpuSeconds } : roles[role];
    const result = await (target as unknown as Record<string, (...args: unknown[]) => unknown>)[method](...args);
    process.send!({ id, result });
  } catch (error) {
    process.send!({ id, error: (error as Error).message });
  }
});
process.on('disconnect', () => process.exit(0));
