import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import wabtModule from 'wabt';
import { systemClock } from '../../src/base/clock.js';
import type { Attachment } from '../../src/host/attachment.js';
import { PluginHost } from '../../src/host/plugin-host.js';
import { composeMessage, type Message } from '../../src/message/message.js';
import { FAULT } from '../../src/sandbox/instance.js';
import type { MicroFigure } from '../micro.js';

const ROUNDS = 15;
const ATTACHMENTS = 1_000;
const WARM_CALLS = 50_000;
const NOW = { wallMs: 0 };
const UTF8 = new TextEncoder();

/** What plugins do at their worst, and large ones: what everybody else waits for meanwhile. */
export async function benches(): Promise<MicroFigure[]> {
  const host = new PluginHost({ clock: systemClock, payloadBytesMax: () => 1024 * 1024 });
  try {
    // The first one starts the compile worker.
    await host.install('warm', await guest({}));
    return [
      await firstMessages(host),
      await endless(host),
      await faultToNext(host),
      await installOf(host, 100 * 1024),
      await installOf(host, 4 * 1000 * 1000),
      await memory(host),
    ];
  } finally {
    await host.close();
  }
}

/** Text of a guest that passes everything but what begins with "!". */
async function guest({ on = 'unreachable', functions = 0, bytes = 0, mark = 0 }): Promise<Uint8Array> {
  // About 15 bytes for each of these.
  const work =
    '(local.set 0 (i32.xor (i32.mul (local.get 0) (i32.const 48271)) (i32.shr_u (local.get 0) (i32.const 7))))';
  const body = work.repeat(functions === 0 ? 0 : Math.ceil(bytes / functions / 15));
  const many = `(func (param i32) (result i32) ${body} local.get 0)\n`.repeat(functions);
  const text = `(module (memory (export "memory") 4)
    (data (i32.const 16) "\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00\\02\\00\\00\\00\\01\\00")
    (data (i32.const 64) "mark ${mark}")
    (func (export "weir_abi") (result i32) i32.const 1)
    (func (export "weir_open") (param i32 i32) (result i32) i32.const 16)
    (func (export "weir_message") (param i32 i32 i32 i32 i32 i32 i32 i32 f64 i32) (result i32)
      (if (i32.eq (i32.load8_u (local.get 6)) (i32.const 33)) (then ${on})) i32.const 0)
    ${many})`;
  const wabt = await wabtModule();
  const module = wabt.parseWat('guest.wat', text);
  const { buffer } = module.toBinary({});
  module.destroy();
  return buffer;
}

function message(payload: string): Message {
  return composeMessage({ subject: UTF8.encode('a.b'), reply: null, headers: null, payload: UTF8.encode(payload) });
}

async function attached(host: PluginHost, name: string, wasm: Uint8Array, fuel?: number): Promise<Attachment> {
  await host.install(name, wasm);
  const budget = fuel === undefined ? {} : { fuel_per_message: fuel };
  return host.deployments.create({ name, plugin: name, subject: `${name}.>`, budget });
}

/** Of versions that were never called on this thread. */
async function firstMessages(host: PluginHost): Promise<MicroFigure> {
  const plain = message('x');
  // The house's own code is warm in a broker that works.
  const other = await attached(host, 'other', await guest({ mark: ROUNDS }));
  for (let i = 0; i < WARM_CALLS; i++) other.call(plain, NOW);
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const attachment = await attached(host, `first${i}`, await guest({ mark: i }));
    times.push(nsOf(() => attachment.call(plain, NOW)));
  }
  return { name: 'first message of a fresh version', ns: median(times), note: '' };
}

async function endless(host: PluginHost): Promise<MicroFigure> {
  const attachment = await attached(host, 'endless', await guest({ on: '(loop (br 0))' }), 10_000_000);
  const bad = message('!');
  const times = Array.from({ length: ROUNDS }, () => nsOf(() => failing(attachment, bad)));
  return { name: 'endless loop to its end, 10,000,000 fuel', ns: median(times), note: '' };
}

/** A trap, a new instance, and the message behind it. */
async function faultToNext(host: PluginHost): Promise<MicroFigure> {
  const attachment = await attached(host, 'faulty', await guest({}));
  const [bad, good] = [message('!'), message('x')];
  const times = Array.from({ length: ROUNDS }, () =>
    nsOf(() => {
      failing(attachment, bad);
      attachment.call(good, NOW);
    }),
  );
  return { name: 'fault, new instance, next message', ns: median(times), note: '' };
}

function failing(attachment: Attachment, bad: Message): void {
  if (attachment.call(bad, NOW) !== FAULT) throw new Error('the call was to fail');
  // What the breaker counts is not what is measured.
  attachment.breaker.onSuccess();
}

async function installOf(host: PluginHost, bytes: number): Promise<MicroFigure> {
  const functions = Math.min(9_000, Math.ceil(bytes / 440));
  const times: number[] = [];
  let longestMs = 0;
  let size = 0;
  for (let i = 0; i < (bytes > 1e6 ? 3 : 7); i++) {
    const name = `large${bytes}-${i}`;
    const wasm = await guest({ functions, bytes, mark: i });
    size = wasm.length;
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const startedNs = performance.now() * 1e6;
    await attached(host, name, wasm);
    times.push(performance.now() * 1e6 - startedNs);
    delay.disable();
    longestMs = Math.max(longestMs, delay.max / 1e6);
    await host.deployments.detach(name);
    await host.remove(name);
  }
  const note = `${size} B, event loop at most ${longestMs.toFixed(1)} ms at a time`;
  return { name: `install to active, ${Math.round(bytes / 1000)} KB`, ns: median(times), note };
}

/** Of attachments that have seen a message: resident, with what they touched of their linear memory. */
async function memory(host: PluginHost): Promise<MicroFigure> {
  await host.install('many', await guest({ functions: 200, bytes: 30_000 }));
  const plain = message('x');
  const before = residentBytes();
  const startedNs = performance.now() * 1e6;
  for (let i = 0; i < ATTACHMENTS; i++) {
    const attachment = await host.deployments.create({ name: `many${i}`, plugin: 'many', subject: `many.${i}` });
    attachment.call(plain, NOW);
  }
  const ns = (performance.now() * 1e6 - startedNs) / ATTACHMENTS;
  const bytes = Math.round((residentBytes() - before) / ATTACHMENTS);
  return { name: `attachment of ${ATTACHMENTS}, not stored`, ns, note: `${bytes} B each are resident` };
}

function residentBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage.rss();
}

function nsOf(run: () => void): number {
  const startedNs = performance.now() * 1e6;
  run();
  return performance.now() * 1e6 - startedNs;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
