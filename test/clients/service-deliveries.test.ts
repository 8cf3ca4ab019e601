import { AckPolicy, jetstreamManager } from '@nats-io/jetstream';
import { expect, it, onTestFinished } from 'vitest';
import { as } from '../kit/connections.js';
import { judged } from '../kit/judged.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';

/** A push consumer whose subject is another account's service. */
judged('deliveries into a service of another account', (start) => {
  it('go where the import leads, and show the subject that was stored', async () => {
    const folder = tempFolder();
    onTestFinished(folder.remove);
    const { url } = await start(`
      jetstream { store_dir: ${JSON.stringify(folder.path)} }
      accounts {
        OWNER {
          users: [{ user: owner, password: p }], jetstream: enabled
          imports: [{ service: { account: SERVICE, subject: "svc.take" }, to: "deliver.here" }]
        }
        SERVICE { users: [{ user: service, password: p }], exports: [{ service: "svc.take" }] }
      }`);
    const [owner, service] = [await as(url, 'owner'), await as(url, 'service')];
    const seen: [filter: string, subject: string, text: string][] = [];
    for (const filter of ['svc.take', 'deliver.here', 'stored'])
      service.subscribe(filter, { callback: (_, m) => void seen.push([filter, m.subject, m.string()]) });
    await service.flush();
    const manager = await jetstreamManager(owner);
    await manager.streams.add({ name: 'S', subjects: ['stored'] });
    for (const text of ['a', 'b']) await manager.jetstream().publish('stored', text);
    await manager.consumers.add('S', {
      durable_name: 'c',
      deliver_subject: 'deliver.here',
      ack_policy: AckPolicy.None,
    });
    await until(() => seen.length === 2, 'both messages', 10_000);
    expect(seen).toEqual([
      ['svc.take', 'stored', 'a'],
      ['svc.take', 'stored', 'b'],
    ]);
  });
});
