import type { Clock, Timer } from '../base/clock.js';
import { Message } from '../message/message.js';
import type { Attachment } from './attachment.js';
import type { AttachmentSet } from './attachment-set.js';
import type { Effects } from './effects.js';
import type { PluginTurn } from './turn.js';

/** What effects of a tick belong to: no publisher, no hops. */
const NO_MESSAGE = new Message();

/** Tells plugins the time, each at its own interval, and carries out what they ask for then. */
export class Ticker {
  private readonly clock: Clock;
  private readonly attachments: AttachmentSet;
  private readonly effects: Effects;
  private readonly turn: PluginTurn;
  private readonly timers = new Map<Attachment, Timer>();
  private closed = false;

  constructor(parts: { clock: Clock; attachments: AttachmentSet; effects: Effects; turn: PluginTurn }) {
    this.clock = parts.clock;
    this.attachments = parts.attachments;
    this.effects = parts.effects;
    this.turn = parts.turn;
    this.attachments.onChange(() => this.follow());
  }

  close(): void {
    this.closed = true;
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
  }

  /** Lets the plugin say what it still has to say. */
  drain(attachment: Attachment): Promise<void> {
    if (attachment.seat !== null) return this.drainBeside(attachment);
    if (attachment.drain()) this.carryOut(attachment);
    this.effects.emits.wake();
    return Promise.resolve();
  }

  /** As `drain`, behind the messages that its worker has before it. */
  private async drainBeside(attachment: Attachment): Promise<void> {
    if (attachment.version.prepared?.hasDrain !== true) return attachment.seat!.settled();
    await attachment.seat!.drain(() => this.carryOut(attachment));
    this.effects.emits.wake();
  }

  /** Sets timers for those who came, and stops those of who went. */
  private follow(): void {
    const { attachments } = this;
    const any = attachments.enabled && !this.closed && attachments.some(({ tickMs }) => tickMs > 0);
    if (!any && this.timers.size === 0) return;
    const ticking = new Set(any ? attachments.all().filter(({ tickMs }) => tickMs > 0) : []);
    for (const [attachment, timer] of this.timers) {
      if (ticking.has(attachment)) continue;
      timer.cancel();
      this.timers.delete(attachment);
    }
    for (const attachment of ticking) if (!this.timers.has(attachment)) this.arm(attachment);
  }

  private arm(attachment: Attachment): void {
    const timer = this.clock.after(attachment.tickMs, () => {
      if (this.timers.get(attachment) !== timer) return;
      this.arm(attachment);
      // Plugins had their share of this turn: the tick waits for the next one.
      if (this.turn.spent) this.turn.later(() => this.tick(attachment));
      else this.tick(attachment);
    });
    this.timers.set(attachment, timer);
  }

  private tick(attachment: Attachment): void {
    if (!this.timers.has(attachment) || !attachment.breaker.admits()) return;
    attachment.counters.ticks++;
    if (attachment.seat !== null) {
      void attachment.seat.tick(() => this.carryOut(attachment)).then(() => this.effects.emits.wake());
      return;
    }
    const done = attachment.tick();
    this.turn.add(attachment.work);
    if (done) this.carryOut(attachment);
    this.effects.emits.wake();
  }

  private carryOut(attachment: Attachment): void {
    const fault = this.effects.apply(attachment, NO_MESSAGE, attachment.outbox);
    if (fault === null) attachment.succeed();
    else attachment.fail(fault);
  }
}
