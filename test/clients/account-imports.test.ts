import { jetstream, jetstreamManager } from '@nats-io/jetstream';
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

describe('another account’s streams', () => {
  it('are written and read as buckets under a prefix', async () => {
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

  it('are asked for by those who have none themselves: only what is imported is answered', async () => {
    const weir = await startWeir(`jetstream: enabled\naccounts {
      OWNER { users: [{ user: owner, password: p }], jetstream: enabled, exports: [{ service: "$JS.API.INFO" }] }
      GUEST { users: [{ user: guest, password: p }], imports: [{ service: { account: OWNER, subject: "$JS.API.INFO" } }] }
    }`);
    const guest = await connect({ servers: weir.url, user: 'guest', pass: 'p', reconnect: false });
    try {
      expect((await guest.request('$JS.API.INFO')).json()).toMatchObject({ streams: 0 });
      await expect(guest.request('$JS.API.STREAM.INFO.T')).rejects.toThrow('no responders');
    } finally {
      await guest.close();
      await weir.stop();
    }
  });

  it('are asked for without a word of the account that has none itself', async () => {
    const weir = await startWeir(`jetstream: enabled\naccounts {
      OWNER { users: [{ user: owner, password: p }], jetstream: enabled, exports: [{ service: "$JS.API.STREAM.INFO.S" }] }
      GUEST { users: [{ user: guest, password: p }], imports: [{ service: { account: OWNER, subject: "$JS.API.STREAM.INFO.S" } }] }
    }`);
    const [owner, guest] = await Promise.all(
      ['owner', 'guest'].map((user) => connect({ servers: weir.url, user, pass: 'p', reconnect: false })),
    );
    try {
      await (await jetstreamManager(owner)).streams.add({ name: 'S', storage: 'memory' });
      expect((await guest.request('$JS.API.STREAM.INFO.S')).json()).toMatchObject({ config: { name: 'S' } });
      expect((await guest.request('$JS.API.STREAM.INFO.T')).json()).toMatchObject({ error: { err_code: 10039 } });
    } finally {
      await Promise.all([owner.close(), guest.close()]);
      await weir.stop();
    }
  });
});
