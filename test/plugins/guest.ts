import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Verdict } from '../../src/sandbox/abi.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import type { Range } from '../../src/sandbox/outbox.js';
import { type PreparedModule, prepareModule } from '../../src/sandbox/prepare.js';

export const root = join(import.meta.dirname, '..', '..');
/** Enough that no test runs out of it: random inputs are large. */
const BUDGET = { ...DEFAULT_BUDGET, fuelPerMessage: 500_000_000, outputByInput: false };

export interface GuestMessage {
  subject?: string;
  reply?: string;
  headers?: Record<string, string>;
  payload?: string | Uint8Array;
}

export interface GuestAnswer {
  verdict: 'pass' | 'drop' | 'replace' | 'reject' | 'fault';
  /** Text of a reject or a fault. */
  error: string;
  subject: string | null;
  reply: string | null;
  headers: string | null;
  payload: string | null;
}

const VERDICTS = new Map<number, GuestAnswer['verdict']>([
  [Verdict.pass, 'pass'],
  [Verdict.drop, 'drop'],
  [Verdict.replace, 'replace'],
  [Verdict.reject, 'reject'],
  [FAULT, 'fault'],
]);

/** A running plugin, with texts where the engine has ranges of bytes. */
export class Guest {
  readonly instance: Instance;

  constructor(prepared: PreparedModule, config: object = {}) {
    const made = Instance.create(prepared, BUDGET, JSON.stringify(config));
    if (!(made instanceof Instance)) throw new Error(made.text);
    this.instance = made;
  }

  call({ subject = 's', reply = '', headers = {}, payload = '' }: GuestMessage): GuestAnswer {
    const block = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const parts = [
      Buffer.from(subject),
      Buffer.from(reply),
      Buffer.from(block.length === 0 ? '' : `NATS/1.0\r\n${block.join('')}\r\n`),
      typeof payload === 'string' ? Buffer.from(payload) : payload,
    ];
    const { instance } = this;
    const verdict = instance.call(frameOf(parts[0], parts[1], parts[2], parts[3]), {
      wallMs: 1_700_000_000_123,
    });
    return {
      verdict: VERDICTS.get(verdict) ?? 'fault',
      error: verdict === FAULT ? `${instance.fault.cause}: ${instance.fault.text}` : instance.outbox.error,
      subject: this.text(instance.outbox.subject),
      reply: this.text(instance.outbox.reply),
      headers: this.text(instance.outbox.headers),
      payload: this.text(instance.outbox.payload),
    };
  }

  text(range: Range | null): string | null {
    return range === null ? null : Buffer.from(this.instance.outbox.bytes.subarray(range.start, range.end)).toString();
  }
}

type Compile = (request: { folder: string; outFile?: string }) => Promise<{ bytes: number; outFile: string }>;

export async function compiler(): Promise<Compile> {
  // A script that Weir ships as it is, without types.
  const file: string = join(root, 'plugins', 'build', 'compile.mjs');
  return ((await import(file)) as { compilePlugin: Compile }).compilePlugin;
}

/** Compiles a plugin's folder into a temporary file, which is gone afterwards. */
export async function compiled(folder: string): Promise<PreparedModule> {
  const temporary = mkdtempSync(join(tmpdir(), 'weir-plugin-'));
  try {
    const compilePlugin = await compiler();
    const { outFile } = await compilePlugin({ folder, outFile: join(temporary, 'plugin.wasm') });
    return prepareModule(readFileSync(outFile));
  } finally {
    rmSync(temporary, { recursive: true });
  }
}
