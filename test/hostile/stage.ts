import { setTimeout } from 'node:timers/promises';
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { expect } from 'vitest';
import type { Options } from '../../src/config/options.js';
import { Server } from '../../src/server/server.js';
import { until } from '../kit/wait.js';

/** What a call may take of the event loop. */
const BLOCKED_MS_MAX = 10;
/** The machine has other work: one quiet try of so many is enough. */
const TRIES = 25;
/** Each pause between tries is longer by so much: 6 s in all. */
const LATER_MS = 20;

interface ApiAnswer {
  error?: { code: number; err_code: number; description: string };
}

export interface DeadLetter {
  cause: string;
  text: string;
  message: Msg;
}

/** A server, someone who installs hostile plugins and sends to them, and a bystander who wants to be served all the while. */
export class Stage {
  readonly server: Server;
  readonly villain: NatsConnection;
  readonly bystander: NatsConnection;
  private served = 0;

  private constructor(server: Server, villain: NatsConnection, bystander: NatsConnection) {
    this.server = server;
    this.villain = villain;
    this.bystander = bystander;
  }

  static async open(options: Partial<Options> = {}): Promise<Stage> {
    const server = new Server({ options: { payloadBytesMax: 6 * 1024 * 1024, ...options } });
    await server.start();
    const [villain, bystander] = await Promise.all([
      connect({ servers: server.clientUrl }),
      connect({ servers: server.clientUrl }),
    ]);
    bystander.subscribe('bystander.echo', { callback: (_, message) => void message.respond(message.data) });
    await bystander.flush();
    return new Stage(server, villain, bystander);
  }

  async close(): Promise<void> {
    await Promise.all([this.villain.close(), this.bystander.close()]);
    await this.server.stop();
  }

  async api(operation: string, payload: Uint8Array | string = ''): Promise<ApiAnswer> {
    const answer = await this.villain.request(`$WEIR.API.${operation}`, payload, { timeout: 60_000 });
    return answer.json<ApiAnswer>();
  }

  install(name: string, wasm: Uint8Array): Promise<ApiAnswer> {
    return this.api(`PLUGIN.INSTALL.${name}`, wasm);
  }

  attach(name: string, definition: object): Promise<ApiAnswer> {
    return this.api(
      `ATTACHMENT.CREATE.${name}`,
      JSON.stringify({ plugin: name, subject: `${name}.in`, ...definition }),
    );
  }

  /** Installs and attaches under one name, to `<name>.in`; both must be accepted. */
  async bring(name: string, wasm: Uint8Array, definition: object = {}): Promise<void> {
    expect((await this.install(name, wasm)).error?.description).toBeUndefined();
    expect((await this.attach(name, definition)).error?.description).toBeUndefined();
  }

  /** The next dead letter of an attachment, after `send`. */
  async deadLetterOf(name: string, send: () => void): Promise<DeadLetter> {
    const letters: Msg[] = [];
    const subscription = this.villain.subscribe(`$WEIR.DEAD.${name}`, {
      callback: (_, message) => void letters.push(message),
    });
    try {
      send();
      await until(() => letters.length > 0, `a dead letter of ${name}`);
    } finally {
      subscription.unsubscribe();
    }
    const [message] = letters;
    const header = (field: string) => message.headers?.get(field) ?? '';
    return { cause: header('Weir-Cause'), text: header('Weir-Error'), message };
  }

  /** Publishes to `<name>.in` and answers what arrived on every subject but the house's, in order. */
  async send(name: string, payload: Uint8Array | string = 'x', reply?: string): Promise<Msg[]> {
    const arrived: Msg[] = [];
    const note = (_: unknown, message: Msg) => {
      if (!message.subject.startsWith('$') && !message.subject.startsWith('bystander.')) arrived.push(message);
    };
    const subscription = this.villain.subscribe('>', { callback: note });
    this.villain.publish(`${name}.in`, payload, reply === undefined ? {} : { reply });
    await this.settle();
    subscription.unsubscribe();
    return arrived;
  }

  /** Waits until everything sent was dealt with, emits of emits too. */
  async settle(): Promise<void> {
    await this.villain.flush();
    await until(() => this.server.host.emits.length === 0, 'the emits to be published');
    await this.villain.flush();
  }

  /**
   * Runs `act`, at ever longer intervals, until it kept the event loop for at most `blockedMsMax` at a time, while the
   * bystander is served without pause. Answers what the last run answered.
   */
  async contained<T>(act: () => Promise<T>, blockedMsMax = BLOCKED_MS_MAX): Promise<T> {
    let leastMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < TRIES; i++) {
      const { result, blockedMs } = await this.watched(act);
      leastMs = Math.min(leastMs, blockedMs);
      if (leastMs <= blockedMsMax) return result;
      // Whatever else keeps the machine busy may be over by then.
      await setTimeout(i * LATER_MS);
    }
    throw new Error(`the event loop was blocked for ${leastMs.toFixed(1)} ms in the best of ${TRIES} tries`);
  }

  private async watched<T>(act: () => Promise<T>): Promise<{ result: T; blockedMs: number }> {
    let done = false;
    const before = this.served;
    const serving = this.serve(() => done);
    const watch = new LoopWatch();
    let result: T;
    try {
      result = await act();
    } finally {
      done = true;
      await serving;
      watch.stop();
    }
    expect(this.served).toBeGreaterThan(before);
    return { result, blockedMs: watch.longestMs };
  }

  /** Pings and messages of the bystander, one after the other, at least one of each. */
  private async serve(done: () => boolean): Promise<void> {
    do {
      const payload = String(this.served);
      const answer = await this.bystander.request('bystander.echo', payload, { timeout: 5_000 });
      expect(answer.string()).toBe(payload);
      await this.bystander.flush();
      this.served++;
    } while (!done());
  }
}

/** Measures the longest turn of the event loop, from now on. */
class LoopWatch {
  longestMs = 0;
  private lastMs = performance.now();
  private stopped = false;

  constructor() {
    setImmediate(this.tick);
  }

  stop(): void {
    this.note();
    this.stopped = true;
  }

  private readonly tick = (): void => {
    if (this.stopped) return;
    this.note();
    setImmediate(this.tick);
  };

  private note(): void {
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.lastMs);
    this.lastMs = now;
  }
}
