import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { type Frame, frameOf } from '../../src/sandbox/frame.js';
import { FAULT } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import type { Answer, Asked, Call } from '../../src/workers/call.js';
import { CallKind } from '../../src/workers/protocol.js';
import type { RemoteGuest } from '../../src/workers/remote-guest.js';
import { WorkerTier } from '../../src/workers/tier.js';
import type { MicroFigure } from '../micro.js';
import { CONFIGS, READING, SUBJECT } from '../readings.js';

const NO_BYTES = new Uint8Array(0);
const ROUNDS = 400;

/** A message that is asked for again and again, as one is made for each message of a publisher. */
class BatchCall implements Call {
  readonly kind = CallKind.message;
  readonly data = null;
  readonly wallMs = 0;
  readonly decided = false;
  readonly timed = false;
  guest!: Asked;
  readonly frame: Frame;
  private readonly batch: Batch;

  constructor(batch: Batch, frame: Frame) {
    this.batch = batch;
    this.frame = frame;
  }

  onAnswer(answer: Answer): void {
    this.batch.note(answer);
  }
}

/** As many messages as come in one piece from a socket, sent at once; the next ones when these are answered. */
class Batch {
  private left = 0;
  private done: () => void = () => {};
  private readonly calls: BatchCall[];
  private readonly guest: RemoteGuest;

  constructor(guest: RemoteGuest, size: number) {
    this.guest = guest;
    const frame = frameOf(Buffer.from(SUBJECT), NO_BYTES, NO_BYTES, READING);
    this.calls = Array.from({ length: size }, () => new BatchCall(this, frame));
  }

  run(): Promise<void> {
    this.left = this.calls.length;
    return new Promise((resolve) => {
      this.done = resolve;
      for (const call of this.calls) this.guest.call(call);
    });
  }

  note({ verdict, fault }: Answer): void {
    if (verdict === FAULT) throw new Error(fault.text);
    if (--this.left === 0) this.done();
  }
}

/** A message to a plugin in a worker thread and its answer back, of both threads together. */
export async function benches(): Promise<MicroFigure[]> {
  const tier = new WorkerTier(systemClock, () => 1);
  const figures: MicroFigure[] = [];
  try {
    for (const size of [1, 64, 1024]) {
      const prepared = prepareModule(readFileSync(join('dist', 'plugins', 'threshold.wasm')));
      const config = JSON.stringify(CONFIGS.threshold);
      const settings = { prepared, budget: DEFAULT_BUDGET, config, image: null, keepsState: false, watchdogMs: 5_000 };
      const batch = new Batch(tier.guest({ ...settings, savedState: () => null }), size);
      for (let i = 0; i < 20; i++) await batch.run();
      const startedMs = performance.now();
      for (let i = 0; i < ROUNDS; i++) await batch.run();
      const ns = ((performance.now() - startedMs) * 1e6) / (ROUNDS * size);
      const note = `${Math.round(1e9 / ns).toLocaleString('en')} messages/s`;
      figures.push({ name: `worker tier, threshold, ${size} at once, ${READING.length} B`, ns, note });
    }
  } finally {
    await tier.close();
  }
  return figures;
}
