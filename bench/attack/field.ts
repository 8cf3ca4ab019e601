import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../child.js';
import { residentBytesOf } from '../process-usage.js';
import type { Inside } from '../soak/inside.js';
import { type Attack, type Bounds, type Outcome, USUAL_BOUNDS } from './attack.js';
import type { Served } from './probe.js';
import { counting, Raw } from './raw.js';

const READY_MS_MAX = 20_000;
const LOOK_EVERY_MS = 20;
/** What attackers leave behind has this long to go. */
const AFTER_MS_MAX = 15_000;
/** The server closes those who do not go two seconds after it has told them to. */
const SETTLE_MS = 300;

/** Where attacks are run, and how large. */
export interface FieldOptions {
  /** The server's program. */
  weir: string;
  /** Programs: what is loaded into the server to look at it from inside, and clients that behave. */
  helpers: { inside: string; probe: string };
  /** Of the full size: 1 for the table, less in tests. */
  share: number;
}

/** An attack's row. */
export interface Result extends Outcome, Costs {
  id: string;
  title: string;
  /** What was not within bounds, in words. */
  broken: string[];
}

interface Costs {
  /** Bytes and numbers: before, at the highest, after. */
  memory: [before: number, peak: number, after: number];
  files: [before: number, peak: number, after: number];
  /** Heap and what is outside of it, after a collection. */
  keptBytes: number;
  stallMs: number;
  served: Served;
}

/** A server that is attacked, in a process of its own; clients that behave are in another. */
export class Field {
  readonly folder: string;
  /** Of the full size. */
  readonly share: number;
  /** The server's program. */
  readonly weir: string;
  private readonly server: ChildProcess;
  private readonly logFile: string;
  private readonly raws: Raw[] = [];

  private constructor(server: ChildProcess, folder: string, { weir, share }: FieldOptions) {
    this.server = server;
    this.folder = folder;
    this.weir = resolve(weir);
    this.share = share;
    this.logFile = join(folder, 'server.log');
  }

  static async open(attack: Attack, options: FieldOptions): Promise<Field> {
    const folder = mkdtempSync(join(tmpdir(), 'weir-attack-'));
    const config = join(folder, 'weir.conf');
    const store = `jetstream { store_dir: ${JSON.stringify(join(folder, 'store'))} }\n`;
    const own = (await attack.config?.(folder)) ?? '';
    writeFileSync(config, `host: "127.0.0.1"\nport: -1\n${/^jetstream/m.test(own) ? '' : store}${own}`);
    // Not a pipe: an attacker that is slow to read it would be the one who holds the server up.
    const log = openSync(join(folder, 'server.log'), 'a');
    const server = fork(resolve(options.weir), ['serve', '-c', config], {
      execArgv: ['--import', options.helpers.inside],
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    const field = new Field(server, folder, options);
    await field.until(() => field.log.includes('Server is ready'), 'the server to be ready', READY_MS_MAX);
    return field;
  }

  /** Of `most`, as much as this run is to have. */
  amount(most: number, least = 2): number {
    return Math.max(least, Math.round(most * this.share));
  }

  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  get port(): number {
    return this.portOf(/client connections on \S*?:(\d+)/);
  }

  get monitorPort(): number {
    return this.portOf(/https? monitor on \S*?:(\d+)/);
  }

  get websocketPort(): number {
    return this.portOf(/websocket clients on \S*?:(\d+)\n/);
  }

  private portOf(pattern: RegExp): number {
    return Number(pattern.exec(this.log)?.[1]);
  }

  /** Whether the server still runs. */
  get alive(): boolean {
    return this.server.exitCode === null && this.server.signalCode === null;
  }

  /** An attacker's connection; it ends with the attack at the latest. */
  raw(port = this.port): Raw {
    const raw = new Raw(port);
    this.raws.push(raw);
    return raw;
  }

  /** `count` connections, opened one after the other without waiting. */
  crowd(count: number, port = this.port): Raw[] {
    return Array.from({ length: count }, () => this.raw(port));
  }

  /** One that is in: it sent CONNECT with these fields and was answered. */
  async member(fields: object = {}): Promise<Raw> {
    const raw = this.raw();
    const wishes = { verbose: false, pedantic: false, headers: true, no_responders: true, ...fields };
    void raw.send(`CONNECT ${JSON.stringify(wishes)}\r\n`);
    await raw.flush();
    return raw;
  }

  /** A member that subscribes, and how often each word has come to it. */
  async listener(filter: string, ...words: string[]): Promise<[raw: Raw, ...counts: (() => number)[]]> {
    const raw = await this.member();
    const counts = words.map((word) => counting(raw, word));
    await raw.send(`SUB ${filter} 1\r\n`);
    return [raw, ...counts];
  }

  async until(holds: () => boolean, what: string | (() => string), deadlineMs = 30_000): Promise<void> {
    for (const endsMs = Date.now() + deadlineMs; !holds(); ) {
      if (!this.alive) throw new Error(`the server ended, waiting for ${what}:\n${this.log.slice(-2000)}`);
      if (Date.now() > endsMs)
        throw new Error(
          `waited ${deadlineMs} ms for ${typeof what === 'string' ? what : what()}; the log ends\n${this.log.slice(-1000)}`,
        );
      await sleep(LOOK_EVERY_MS);
    }
  }

  leave(): void {
    for (const raw of this.raws.splice(0)) raw.close();
  }

  async close(): Promise<void> {
    this.leave();
    if (this.alive) {
      this.server.kill('SIGKILL');
      await once(this.server, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  residentBytes(which: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
    return residentBytesOf(this.server.pid!, which);
  }

  files(): number {
    try {
      return readdirSync(`/proc/${this.server.pid}/fd`).length;
    } catch {
      return Number.NaN;
    }
  }

  /** Forgets how high the memory was. */
  forgetPeak(): void {
    try {
      writeFileSync(`/proc/${this.server.pid}/clear_refs`, '5');
    } catch {
      // Then the peak is that since the start.
    }
  }

  ask(question: 'inside' | 'collect'): Promise<Inside> {
    return ask<Inside>(this.server, question);
  }
}

/** Runs an attack against a server of its own, with a client that behaves beside it. */
export async function runAttack(attack: Attack, options: FieldOptions): Promise<Result> {
  const field = await Field.open(attack, options);
  const probe = fork(options.helpers.probe, [String(field.port), JSON.stringify(attack.credentials?.() ?? {})]);
  try {
    await once(probe, 'message');
    const { outcome, costs } = await watched(attack, field, probe);
    const { id, title, bounds, closed } = attack;
    return { id, title, ...outcome, ...costs, broken: brokenBounds({ ...USUAL_BOUNDS, ...bounds }, costs, closed) };
  } finally {
    probe.kill();
    await field.close();
  }
}

async function watched(attack: Attack, field: Field, probe: ChildProcess): Promise<{ outcome: Outcome; costs: Costs }> {
  await sleep(SETTLE_MS);
  const { heapBytes, externalBytes } = await field.ask('collect');
  const filesBefore = field.files();
  const before = field.residentBytes();
  field.forgetPeak();
  await ask<Served>(probe, 'take');
  await field.ask('inside');
  let filesPeak = filesBefore;
  const looking = setInterval(() => {
    filesPeak = Math.max(filesPeak, field.files());
  }, LOOK_EVERY_MS);
  let outcome: Outcome;
  try {
    outcome = await attack.run(field);
    await sleep(SETTLE_MS);
  } finally {
    clearInterval(looking);
  }
  if (!field.alive) throw new Error(`the server ended:\n${field.log.slice(-2000)}`);
  const { loopMaxMs } = await field.ask('inside');
  const served = await ask<Served>(probe, 'take');
  const peak = field.residentBytes('VmHWM');
  field.leave();
  // The server hears of it a little later, and has something for each of them until then.
  await sleep(SETTLE_MS);
  const filesAfter = await settled(field, filesBefore + (attack.bounds?.keptFiles ?? USUAL_BOUNDS.keptFiles));
  const kept = await field.ask('collect');
  const after = field.residentBytes();
  return {
    outcome,
    costs: {
      memory: [before, peak, after],
      files: [filesBefore, filesPeak, filesAfter],
      keptBytes: kept.heapBytes + kept.externalBytes - heapBytes - externalBytes,
      stallMs: loopMaxMs,
      served,
    },
  };
}

/** Waits until at most so many files are open, and answers how many there are. */
async function settled(field: Field, most: number): Promise<number> {
  const endsMs = Date.now() + AFTER_MS_MAX;
  while (field.files() > most && Date.now() < endsMs) await sleep(LOOK_EVERY_MS);
  return field.files();
}

function brokenBounds(bounds: Bounds, costs: Costs, closed = false): string[] {
  const { memory, files, keptBytes, stallMs, served } = costs;
  const broken: string[] = [];
  const judge = (what: string, value: number, most: number) => {
    if (value > most) broken.push(`${what}: ${Math.round(value)}, at most ${most}`);
  };
  judge('memory at its peak', memory[1] - memory[0], bounds.peakBytes);
  judge('memory that stays', keptBytes, bounds.keptBytes);
  judge('files that stay', files[2] - files[0], bounds.keptFiles);
  judge('longest stall in ms', stallMs, bounds.stallMs);
  judge("another's latency in ms", served.latencyMaxMs, bounds.latencyMs);
  if (served.messages === 0) broken.push('a client that behaves got nothing');
  if (!closed && served.turnedAway > 0) broken.push(`${served.turnedAway} newcomers were turned away`);
  return broken;
}
