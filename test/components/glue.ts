import { generate } from '@bytecodealliance/jco-transpile/component';
import { type Outcome as Called, TEST_TIME_MS } from '../../src/sandbox/self-test.js';

export const MESSAGE = {
  subject: 'plant.größe',
  reply: '_INBOX.1',
  headers: 'NATS/1.0\r\nA: b\r\n\r\n',
  payload: '{"temp":21}',
};

interface GlueVerdict {
  tag: Called['verdict'] | 'drop';
  val?: { code?: number; text?: string } & Partial<Record<'subject' | 'reply' | 'headers' | 'payload', unknown>>;
}
type Process = (message: object) => { verdict: GlueVerdict };
interface Glue {
  processor: { process: Process };
}

/** The component as the code runs it that jco generates. */
function glueOf(wasm: Uint8Array): Process {
  const { files } = generate(wasm, { name: 'glue', map: [], instantiation: { tag: 'sync' }, base64Cutoff: 0 } as never);
  const code = files.find(([name]) => name.endsWith('.js'))![1];
  const modules = new Map(files.map(([name, bytes]) => [name, bytes] as const));
  const text = Buffer.from(code)
    .toString()
    .replace(/export function instantiate/, 'return function instantiate');
  const instantiate = new Function(text.replace(/^export .*$/gm, 'const unused = {'))() as (
    core: (name: string) => unknown,
    imports: object,
  ) => Glue;
  const core = (name: string) => new WebAssembly.Module(modules.get(name)! as Uint8Array<ArrayBuffer>);
  return instantiate(core, {}).processor.process;
}

/** What the glue answers, in the words of the sandbox. */
export function calledByGlue(wasm: Uint8Array): Called {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text));
  const { subject, reply, headers, payload } = MESSAGE;
  const message = { subject, reply, headers: bytes(headers), payload: bytes(payload), timestampMs: TEST_TIME_MS };
  let answer: ReturnType<Process>;
  try {
    answer = glueOf(wasm)(message);
  } catch {
    return { verdict: 'error' };
  }
  const { tag, val } = answer.verdict;
  if (tag === 'reject') return { verdict: tag, code: val!.code || 400, error: val!.text ?? '' };
  const outcome: Called = { verdict: tag };
  for (const part of ['subject', 'reply', 'headers', 'payload'] as const) {
    const value = val?.[part];
    if (value !== undefined) outcome[part] = Buffer.from(value as string).toString();
  }
  return outcome;
}
