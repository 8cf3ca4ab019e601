import { textOf } from '../base/bytes.js';
import type { Fault } from '../sandbox/fault.js';
import type { Frame } from '../sandbox/frame.js';
import { FAULT, Instance, type WallTime } from '../sandbox/instance.js';
import type { EmitRecord, Outbox } from '../sandbox/outbox.js';
import { type Outcome, outcomeAfter } from '../sandbox/self-test.js';

/** Differences that are kept. */
const DIFFERENCES_MAX = 20;
/** Bytes of a text that are kept of a difference. */
const TEXT_BYTES_MAX = 1024;

/** What a call came to, with what it emitted. */
export interface Judgement extends Outcome {
  emits?: { subject: string; payload: string }[];
}

/** A message that two versions judge differently. */
export interface JudgedDifferently {
  /** Where it is: a line of a file, a sequence of a stream. */
  place: number;
  subject: string;
  module: Judgement;
  against: Judgement;
}

export interface SideSummary {
  verdicts: Record<string, number>;
  /** Faults by cause. */
  faults: Record<string, number>;
  fuel_per_message: number;
}

/** A version that sees one message after the other, as it would at work. */
export class BacktestSide {
  private readonly make: () => Instance | Fault;
  private readonly verdicts: Record<string, number> = {};
  private readonly faults: Record<string, number> = {};
  private instance: Instance | null = null;
  private calls = 0;
  private fuel = 0;

  /** `make` makes an instance: the first one, and another one after each trap. */
  constructor(make: () => Instance | Fault) {
    this.make = make;
  }

  run(frame: Frame, now: WallTime): Judgement {
    const judgement = this.call(frame, now);
    this.calls++;
    this.verdicts[judgement.verdict] = (this.verdicts[judgement.verdict] ?? 0) + 1;
    return judgement;
  }

  private call(frame: Frame, now: WallTime): Judgement {
    const made = this.instance ?? this.make();
    if (!(made instanceof Instance)) return this.failed(made);
    this.instance = made;
    const verdict = made.call(frame, now);
    this.fuel += made.fuelUsed;
    if (verdict === FAULT) {
      if (made.poisoned) this.instance = null;
      return this.failed(made.fault);
    }
    const { outbox } = made;
    const outcome: Judgement = outcomeAfter(made, verdict);
    if (outbox.emits.length > 0) outcome.emits = outbox.emits.map((emit) => emitOf(outbox, emit));
    return outcome;
  }

  private failed({ cause, text }: Fault): Judgement {
    this.faults[cause] = (this.faults[cause] ?? 0) + 1;
    return { verdict: 'error', error: `${cause}: ${text}` };
  }

  summary(): SideSummary {
    const { verdicts, faults, fuel, calls } = this;
    return { verdicts, faults, fuel_per_message: calls === 0 ? 0 : Math.round(fuel / calls) };
  }
}

/** Calls a version, or two, on messages that were kept, and notes what comes out otherwise. */
export class Backtest {
  messages = 0;
  different = 0;
  readonly differences: JudgedDifferently[] = [];
  readonly module: BacktestSide;
  readonly against: BacktestSide | null;

  constructor(module: BacktestSide, against: BacktestSide | null) {
    this.module = module;
    this.against = against;
  }

  run(frame: Frame, now: WallTime, place: number): void {
    this.messages++;
    const module = this.module.run(frame, now);
    if (this.against === null) return;
    const against = this.against.run(frame, now);
    if (keyOf(module) === keyOf(against)) return;
    this.different++;
    if (this.differences.length === DIFFERENCES_MAX) return;
    const subject = textOf(frame.bytes, frame.subjectStart, frame.subjectEnd);
    this.differences.push({ place, subject, module: shortened(module), against: shortened(against) });
  }
}

/** What two judgements have in common that are the same: how a fault is worded is the engine's affair. */
function keyOf(judgement: Judgement): string {
  if (judgement.verdict !== 'error') return JSON.stringify(judgement);
  return `error ${judgement.error?.split(':')[0]}`;
}

function emitOf({ bytes }: Outbox, { subject, payload }: EmitRecord): { subject: string; payload: string } {
  return { subject: textOf(bytes, subject.start, subject.end), payload: textOf(bytes, payload.start, payload.end) };
}

function shortened(judgement: Judgement): Judgement {
  const short = (value: unknown) =>
    typeof value === 'string' && value.length > TEXT_BYTES_MAX ? `${value.slice(0, TEXT_BYTES_MAX)}…` : value;
  return JSON.parse(JSON.stringify(judgement), (_, value) => short(value));
}
