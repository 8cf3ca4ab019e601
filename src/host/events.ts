import { utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { composeMessage } from '../message/message.js';
import type { Attachment } from './attachment.js';
import type { EmitQueue } from './emit-queue.js';

export type EventKind =
  | 'attached'
  | 'detached'
  | 'swapped'
  | 'rolled-back'
  | 'quarantined'
  | 'recovered'
  | 'canary'
  | 'shadow'
  | 'entry-refused';

/** What happens to attachments, told on `$WEIR.EVENT.<kind>.<attachment>`, and in the server's log when it concerns the operator. */
export class PluginEvents {
  /** Told what went wrong besides. */
  onProblem: (text: string) => void = () => {};
  private readonly emits: EmitQueue;
  private readonly clock: Clock;

  constructor(emits: EmitQueue, clock: Clock) {
    this.emits = emits;
    this.clock = clock;
  }

  tell(kind: EventKind, { name, declaration, version }: Attachment, more: Record<string, unknown>): void {
    const event = {
      type: `io.weir.event.v1.${kind.replace('-', '_')}`,
      time: new Date(this.clock.nowMs()).toISOString(),
      attachment: name,
      plugin: declaration.plugin,
      version: version.number,
      ...more,
    };
    const payload = utf8(JSON.stringify(event));
    this.emits.push(
      composeMessage({ subject: utf8(`$WEIR.EVENT.${kind}.${name}`), reply: null, headers: null, payload }),
      true,
    );
    // Perhaps in the middle of a message: what waits is published when that was delivered.
    queueMicrotask(() => this.emits.wake());
    if (kind === 'quarantined' || kind === 'rolled-back') this.problem(line(kind, event));
  }

  problem(text: string): void {
    this.onProblem(text);
  }
}

function line(kind: EventKind, event: Record<string, unknown>): string {
  const { attachment, plugin, version, cause, text } = event;
  const what = kind === 'quarantined' ? 'is quarantined' : 'went back';
  return `Attachment "${attachment}" ${what} (${plugin} version ${version}): ${cause}: ${text}`;
}
