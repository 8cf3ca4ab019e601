import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import type { FaultCause } from '../../src/sandbox/fault.js';
import { type Frame, frameOf } from '../../src/sandbox/frame.js';
import { FAULT } from '../../src/sandbox/instance.js';
import type { Outbox } from '../../src/sandbox/outbox.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import type { Answer, Asked, Call } from '../../src/workers/call.js';
import { CallKind } from '../../src/workers/protocol.js';
import type { RemoteGuest, RemoteSettings } from '../../src/workers/remote-guest.js';

const NO_BYTES = new Uint8Array(0);

/** What one message came to. */
export interface Came {
  name: string;
  verdict: number;
  cause: FaultCause | null;
  text: string;
  payload: string | null;
}

/** A message of a test: notes what came of it in a list that many share. */
export class MessageCall implements Call {
  readonly kind = CallKind.message;
  readonly data = null;
  readonly wallMs = 5;
  readonly decided: boolean;
  readonly timed: boolean;
  /** Of the answer. */
  ns = -1;
  isSample = false;
  guest!: Asked;
  readonly frame: Frame;
  private readonly name: string;
  private readonly list: Came[];

  constructor(
    list: Came[],
    name: string,
    { payload = Buffer.from(name) as Uint8Array, decided = false, timed = false } = {},
  ) {
    this.list = list;
    this.name = name;
    this.decided = decided;
    this.timed = timed;
    this.frame = frameOf(Buffer.from('a.b'), NO_BYTES, NO_BYTES, payload);
  }

  onAnswer({ verdict, fault, outbox, ns, isSample }: Answer): void {
    this.ns = ns;
    this.isSample = isSample;
    const failed = verdict === FAULT;
    const { name } = this;
    const payload = outbox.payload === null ? null : payloadOf(outbox);
    this.list.push({ name, verdict, cause: failed ? fault.cause : null, text: failed ? fault.text : '', payload });
  }
}

function payloadOf({ bytes, payload }: Outbox): string {
  return Buffer.from(bytes.subarray(payload!.start, payload!.end)).toString('latin1');
}

export function settingsOf(wasm: Uint8Array, changes: Partial<RemoteSettings> = {}): RemoteSettings {
  const prepared = prepareModule(wasm);
  return {
    ...{ prepared, budget: DEFAULT_BUDGET, config: '{}', image: null, keepsState: false, watchdogMs: 50 },
    savedState: () => null,
    ...changes,
  };
}

/** Sends messages with these payloads, each under its own as name. */
export function sendAll(guest: RemoteGuest, list: Came[], names: readonly string[]): void {
  for (const name of names) guest.call(new MessageCall(list, name));
}
