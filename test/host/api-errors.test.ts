import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Failure } from '../../src/base/failure.js';
import { ERRORS } from '../../src/host/error-table.js';
import { PluginApi } from '../../src/host/plugin-api.js';
import { PluginHost } from '../../src/host/plugin-host.js';
import { MemoryPluginStore } from '../../src/host/plugin-store.js';
import { guest } from '../hostile/guest.js';
import { ManualClock } from '../kit/manual-clock.js';
import { until } from '../kit/wait.js';

type Body = object | Uint8Array | string;
interface Answer {
  type: string;
  error?: { code: number; err_code: number; description: string };
  [key: string]: unknown;
}

/** A store that can be full, or slow. */
class TestStore extends MemoryPluginStore {
  isFull = false;
  /** Changes wait for it. */
  gate: Promise<void> = Promise.resolve();
  saves = 0;

  override async save(...state: Parameters<MemoryPluginStore['save']>): Promise<void> {
    this.saves++;
    await this.gate;
    if (this.isFull) throw new Failure('plugin-store', 'no space left on device');
    return super.save(...state);
  }
}

const reached = new Set<string>();
let host: PluginHost;
let api: PluginApi;
let store: TestStore;
let passes: Uint8Array;

async function open(limits = {}): Promise<void> {
  host = new PluginHost({ clock: new ManualClock(), payloadBytesMax: () => 1_048_576, limits });
  store = new TestStore();
  await host.open(store);
  api = new PluginApi(host);
}
beforeAll(async () => {
  passes = await guest();
});
beforeEach(() => open());
afterEach(() => host.close());

async function ask(operation: string, body: Body = '', headers = ''): Promise<Answer> {
  const payload = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  const request = { subject: `$WEIR.API.${operation}`, headers, payload: Buffer.from(payload) };
  return JSON.parse(Buffer.from(await api.handle(request)).toString());
}

async function done(operation: string, body: Body = ''): Promise<Answer> {
  const answer = await ask(operation, body);
  expect(answer.error).toBeUndefined();
  return answer;
}

/** Asks for what is refused with this error; answers its text. */
async function refused(error: keyof typeof ERRORS, ...request: Parameters<typeof ask>): Promise<string> {
  const answer = await ask(...request);
  const { code, number } = ERRORS[error];
  expect(answer.error).toMatchObject({ code, err_code: number });
  expect(answer.type).toMatch(/^io\.weir\.api\.v1\.\w*_response$/);
  reached.add(error);
  return answer.error!.description;
}

const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const onIn = (more: object = {}) => ({ plugin: 'p', subject: 'in', ...more });

async function attached(): Promise<void> {
  await done('PLUGIN.INSTALL.p', passes);
  await done('ATTACHMENT.CREATE.a', onIn());
}

describe('a request', () => {
  test.each(['', 'NOTHING', 'INFO.x', 'PLUGIN', 'PLUGIN.INSTALL', 'PLUGIN.INFO.a.b', 'toString', 'plugin.list'])(
    'that there is not: "%s"',
    async (operation) => {
      const text = await refused('request-invalid', operation);
      expect(text).toContain(`there is no request "$WEIR.API.${operation}"; there are $WEIR.API.INFO, `);
      expect(text).toContain('$WEIR.API.ATTACHMENT.DELETE.<attachment>');
    },
  );

  test('whose body is wrong names the field', async () => {
    await attached();
    expect(await refused('request-invalid', 'ATTACHMENT.CREATE.b', '{')).toContain('the request is not JSON');
    const misspelt = onIn({ subjct: 'x', order: 'first' });
    const text = await refused('request-invalid', 'ATTACHMENT.CREATE.b', misspelt);
    expect(text).toMatch(/^attachment "b": order: .*; "subjct" is not known$/);
    expect(await refused('request-invalid', 'ATTACHMENT.SWAP.a', { version: 0 })).toMatch(/^attachment "a": version: /);
    expect(await refused('request-invalid', 'ATTACHMENT.BUDGET.a', { fuel: 1 })).toMatch(
      /^attachment "a": "fuel" is not known$/,
    );
    expect(await refused('request-invalid', 'PLUGIN.UPLOAD.p', { bytes: 1.5, sha256: '' })).toContain('"bytes" is 1.5');
    const large = onIn({ config: 'x'.repeat(65_536) });
    expect(await refused('request-invalid', 'ATTACHMENT.CREATE.b', large)).toContain('at most 65536 are allowed');
  });

  test('with a name that is none', async () => {
    await done('PLUGIN.INSTALL.p', passes);
    for (const name of ['-a', 'a b', 'ä', 'x'.repeat(65)]) {
      expect(await refused('name-invalid', `PLUGIN.INSTALL.${name}`, passes)).toContain(JSON.stringify(name));
      expect(await refused('name-invalid', `ATTACHMENT.CREATE.${name}`, onIn())).toContain(JSON.stringify(name));
    }
  });

  test('that meets a mistake of ours', async () => {
    host.registry.names = () => {
      throw new TypeError('ours');
    };
    expect(await refused('internal', 'INFO')).toBe('ours');
  });

  test('whose change cannot be stored changes nothing', async () => {
    store.isFull = true;
    expect(await refused('plugin-store', 'PLUGIN.INSTALL.p', passes)).toContain('no space left');
    expect(await done('PLUGIN.LIST')).toMatchObject({ total: 0 });
    store.isFull = false;
    await attached();
    store.isFull = true;
    await refused('plugin-store', 'ATTACHMENT.DELETE.a');
    expect(await done('ATTACHMENT.LIST')).toMatchObject({ total: 1 });
  });
});

describe('a plugin', () => {
  test('that was damaged on its way', async () => {
    const right = `NATS/1.0\r\nWeir-Sha256: ${sha256Of(passes)}\r\n\r\n`;
    expect((await ask('PLUGIN.INSTALL.p', passes, right)).error).toBeUndefined();
    const text = await refused('digest-mismatch', 'PLUGIN.INSTALL.p', passes.subarray(1), right);
    expect(text).toContain(`"${sha256Of(passes)}"`);
  });

  test('that is refused leaves what was there', async () => {
    await done('PLUGIN.INSTALL.p', passes);
    expect(await refused('module-refused', 'PLUGIN.INSTALL.p', 'no module')).toContain('the module is malformed');
    expect(await done('PLUGIN.INFO.p')).toMatchObject({ plugin: { name: 'p', versions: [{ version: 1 }] } });
  });

  test('or a version that there is not', async () => {
    expect(await refused('plugin-not-found', 'PLUGIN.INFO.p')).toBe('there is no plugin "p"');
    await refused('plugin-not-found', 'PLUGIN.DELETE.p');
    await refused('plugin-not-found', 'ATTACHMENT.CREATE.a', onIn());
    await done('PLUGIN.INSTALL.p', passes);
    const text = await refused('plugin-not-found', 'ATTACHMENT.CREATE.a', onIn({ version: 2 }));
    expect(text).toBe('plugin "p" has no version 2; it has 1');
  });

  test('that is in use', async () => {
    await attached();
    expect(await refused('plugin-in-use', 'PLUGIN.DELETE.p')).toBe('plugin "p" is used by attachment "a"');
    await done('ATTACHMENT.DELETE.a');
    await done('PLUGIN.DELETE.p');
  });

  test('too many', async () => {
    await host.close();
    await open({ plugins: 1 });
    await done('PLUGIN.INSTALL.p', passes);
    expect(await refused('plugins-full', 'PLUGIN.INSTALL.q', passes)).toContain(
      'there are 1 plugins, the most allowed',
    );
    await host.close();
    await open({ moduleBytes: passes.length - 1 });
    expect(await refused('plugins-full', 'PLUGIN.INSTALL.p', passes)).toContain('all modules together');
  });
});

describe('an upload', () => {
  const begin = () => done('PLUGIN.UPLOAD.p', { bytes: passes.length, sha256: sha256Of(passes) });
  const at = (offset: number) => `NATS/1.0\r\nWeir-Offset: ${offset}\r\n\r\n`;

  test('that there is not', async () => {
    for (const operation of ['CHUNK', 'COMMIT', 'ABORT']) {
      expect(await refused('upload-not-found', `PLUGIN.${operation}.x`, 'a', at(0))).toContain('no upload "x"');
    }
  });

  test('whose pieces do not fit', async () => {
    const { upload } = await begin();
    expect(await refused('upload-piece', `PLUGIN.CHUNK.${upload}`, passes)).toContain('a header Weir-Offset');
    expect(await refused('upload-piece', `PLUGIN.CHUNK.${upload}`, passes, at(7))).toContain('begins at 7; expected 0');
    expect(await refused('upload-piece', `PLUGIN.COMMIT.${upload}`)).toContain(`has 0 of ${passes.length} bytes`);
  });

  test('whose bytes are not those announced', async () => {
    const { upload } = await begin();
    expect((await ask(`PLUGIN.CHUNK.${upload}`, Buffer.alloc(passes.length), at(0))).error).toBeUndefined();
    expect(await refused('digest-mismatch', `PLUGIN.COMMIT.${upload}`)).toContain(sha256Of(passes));
    await refused('upload-not-found', `PLUGIN.COMMIT.${upload}`);
  });

  test('too many at a time', async () => {
    for (let i = 0; i < 8; i++) await begin();
    expect(await refused('uploads-full', 'PLUGIN.UPLOAD.p', { bytes: 1, sha256: sha256Of(passes) })).toContain(
      '8 uploads',
    );
  });
});

describe('an attachment', () => {
  test('that there is not', async () => {
    for (const operation of ['INFO', 'DELETE', 'SWAP', 'ROLLBACK', 'BUDGET']) {
      const text = await refused('attachment-not-found', `ATTACHMENT.${operation}.a`, operation === 'INFO' ? '' : {});
      expect(text).toBe('there is no attachment "a"');
    }
  });

  test('that is there with another definition', async () => {
    await attached();
    await done('ATTACHMENT.CREATE.a', onIn());
    expect(await refused('attachment-exists', 'ATTACHMENT.CREATE.a', onIn({ order: 1 }))).toContain('"replace": true');
    await done('ATTACHMENT.CREATE.a', onIn({ order: 1, replace: true }));
  });

  test.each<[what: string, definition: object, text: string]>([
    ['a filter that is none', { subject: 'a..b' }, '"a..b" is not a valid subject filter'],
    ["the server's own subjects", { subject: '$WEIR.API.>' }, 'no plugin runs on "$WEIR." and "$SYS."'],
    [
      'a grant for what is no filter',
      { grants: { emit: ['>.a'] } },
      'grants.emit: ">.a" is not a valid subject filter',
    ],
    ['a policy that lets through', { phase: 'validate', failure: { fuel: 'pass' } }, 'add "force": true to insist'],
  ])('with %s', async (_what, definition, text) => {
    await done('PLUGIN.INSTALL.p', passes);
    expect(await refused('attachment-invalid', 'ATTACHMENT.CREATE.a', onIn(definition))).toContain(text);
    expect(await done('ATTACHMENT.LIST')).toMatchObject({ total: 0 });
  });

  test('whose plugin refuses its configuration', async () => {
    await done('PLUGIN.INSTALL.p', await guest({ init: 'i32.const 1' }));
    const text = await refused('attachment-refused', 'ATTACHMENT.CREATE.a', onIn());
    expect(text).toBe('plugin "p": the configuration was refused: weir_init answered 1');
  });

  test('whose configuration is not what the manifest says', async () => {
    await done('PLUGIN.INSTALL.p', withManifest(passes, { config: { type: 'object', required: ['limit'] } }));
    expect(await refused('config-invalid', 'ATTACHMENT.CREATE.a', onIn({ config: {} }))).toContain('limit');
  });

  test('too many', async () => {
    await host.close();
    await open({ attachments: 1 });
    await attached();
    expect(await refused('attachments-full', 'ATTACHMENT.CREATE.b', onIn())).toContain('there are 1 attachments');
  });

  test('of the configuration file', async () => {
    await attached();
    host.deployments.takeOver(['a']);
    for (const operation of ['DELETE', 'SWAP', 'ROLLBACK', 'BUDGET']) {
      const text = await refused('attachment-declared', `ATTACHMENT.${operation}.a`, {});
      expect(text).toContain('is declared in the configuration file');
    }
    await refused('attachment-declared', 'ATTACHMENT.CREATE.a', onIn({ replace: true }));
  });

  test('that would emit to itself', async () => {
    await done('PLUGIN.INSTALL.p', passes);
    const circle = onIn({ grants: { emit: ['in'] } });
    expect(await refused('attachment-circle', 'ATTACHMENT.CREATE.a', circle)).toContain('("a" → "a")');
    await done('ATTACHMENT.CREATE.a', { ...circle, force: true });
  });

  test('with one trial at a time', async () => {
    await attached();
    expect(await refused('trial-not-found', 'ATTACHMENT.STOP.a')).toContain('has no canary and no shadow');
    await done('ATTACHMENT.CANARY.a', {});
    expect(await refused('trial-exists', 'ATTACHMENT.SHADOW.a', {})).toContain('stop it first');
  });

  test('whose next version is tried on a stream', async () => {
    await attached();
    const backtest = { stream: 'S' };
    const one = ask('ATTACHMENT.BACKTEST.a', backtest);
    expect(await refused('backtest-busy', 'ATTACHMENT.BACKTEST.a', backtest)).toContain('one runs at a time');
    await one;
    expect(await refused('stream-not-found', 'ATTACHMENT.BACKTEST.a', backtest)).toContain('there is no stream "S"');
  });

  test('that never was another', async () => {
    await attached();
    expect(await refused('attachment-first', 'ATTACHMENT.ROLLBACK.a')).toContain(
      'no definition before the present one',
    );
  });

  test('that two change at the same time is changed by one', async () => {
    await attached();
    let openGate = () => {};
    store.gate = new Promise((resolve) => {
      openGate = resolve;
    });
    const saves = store.saves;
    const orders = [1, 2].map((order) => ask('ATTACHMENT.CREATE.a', onIn({ order, replace: true })));
    await until(() => store.saves > saves, 'the first to be stored', 10_000);
    // Guests are started one after the other: when this one is, the second waits to be stored, too.
    await host.deployments.start({ name: 'b', plugin: 'p', subject: 'in' });
    openGate();
    const answers = await Promise.all(orders);
    const failed = answers.filter(({ error }) => error !== undefined);
    expect(failed).toMatchObject([{ error: { err_code: ERRORS['attachment-changed'].number } }]);
    reached.add('attachment-changed');
  });

  test('whose state the next version cannot take on', async () => {
    const keeping = (restored: number) =>
      guest({
        extra: `(func (export "weir_save") (result i32)
            (i64.store (i32.const 0x20000) (i64.const 0x0000000100000009))
            (i32.store8 (i32.const 0x20008) (i32.const 65))
            (i32.store (i32.const 32) (i32.const 9)) i32.const 0)
          (func (export "weir_restore") (param i32) (result i32) i32.const ${restored})`,
      });
    await done('PLUGIN.INSTALL.p', await keeping(0));
    await done('ATTACHMENT.CREATE.a', onIn({ grants: { state: true } }));
    await done('PLUGIN.INSTALL.p', await keeping(-1));
    expect(await refused('state-refused', 'ATTACHMENT.SWAP.a', {})).toContain('refused the state of version 1');
    expect(await done('ATTACHMENT.INFO.a')).toMatchObject({ attachment: { version: 1 } });
  });
});

/** The module with a manifest. */
function withManifest(wasm: Uint8Array, manifest: object): Uint8Array {
  const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]);
  const name = Buffer.from('weir.manifest');
  const body = Buffer.concat([Buffer.from([name.length]), name, Buffer.from(JSON.stringify(manifest))]);
  return Buffer.concat([wasm, Buffer.from([0, ...leb(body.length)]), body]);
}

afterAll(() => {
  // A run of some tests alone reaches fewer.
  if (reached.size > Object.keys(ERRORS).length / 2) expect([...reached].sort()).toEqual(Object.keys(ERRORS).sort());
});
