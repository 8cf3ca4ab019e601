import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

/** `fromA.>` takes what is meant for `fromA.$KV.>`, too: it comes to the API as a request that there is none of. */
const ACCOUNTS = `accounts {
  A {
    users: [{ user: a, password: a }], jetstream: enabled
    exports: [{ service: "$JS.API.>" }, { service: "$KV.>" }]
  }
  I {
    users: [{ user: i, password: i }]
    imports: [
      { service: { account: A, subject: "$JS.API.>" }, to: "fromA.>" }
      { service: { account: A, subject: "$KV.>" }, to: "fromA.$KV.>" }
    ]
  }
}`;

describe('another account’s buckets', () => {
  it('are written and read under a prefix', async () => {
    const folder = tempFolder();
    const weir = await startWeir(`jetstream { store_dir: ${JSON.stringify(folder.path)} }\n${ACCOUNTS}`);
    const [owner, guest] = await Promise.all(
      ['a', 'i'].map((user) => connect({ servers: weir.url, user, pass: user, reconnect: false })),
    );
    try {
      const own = await new Kvm(jetstream(owner)).create('B');
      const imported = await new Kvm(jetstream(guest, { apiPrefix: 'fromA' })).create('B');
      expect(await imported.put('k', 'v')).toBe(1);
      expect((await own.get('k'))?.string()).toBe('v');
      await own.put('k', 'w');
      expect((await imported.get('k'))?.string()).toBe('w');
    } finally {
      await Promise.all([owner.close(), guest.close()]);
      await weir.stop();
      folder.remove();
    }
  });
});
