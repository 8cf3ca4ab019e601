import type { Clock, Timer } from '../base/clock.js';
import { describe } from '../base/failure.js';
import type { Attachment } from './attachment.js';
import type { AttachmentSet } from './attachment-set.js';
import type { PluginEvents } from './events.js';
import type { Ledger } from './ledger.js';

/** A state is at most so old when the process dies. */
const INTERVAL_MS = 10_000;

/** Makes what plugins save of themselves durable, at intervals and in the end. */
export class StateKeeper {
  private readonly clock: Clock;
  private readonly attachments: AttachmentSet;
  private readonly ledger: Ledger;
  private readonly events: PluginEvents;
  /** Calls and ticks at the last save: without new ones there is nothing new. */
  private readonly savedAt = new WeakMap<Attachment, number>();
  private timer: Timer | null = null;
  private closed = false;

  constructor(parts: { clock: Clock; attachments: AttachmentSet; ledger: Ledger; events: PluginEvents }) {
    this.clock = parts.clock;
    this.attachments = parts.attachments;
    this.ledger = parts.ledger;
    this.events = parts.events;
    this.attachments.onChange(() => this.follow());
  }

  /** Saves one last time. */
  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    this.timer = null;
    await this.saveAll();
  }

  private follow(): void {
    if (this.closed || this.timer !== null || !this.attachments.some(({ keepsState }) => keepsState)) return;
    this.timer = this.clock.after(INTERVAL_MS, () => {
      this.timer = null;
      void this.saveAll().then(() => this.follow());
    });
  }

  private async saveAll(): Promise<void> {
    for (const attachment of this.attachments.all()) if (attachment.keepsState) await this.saveOne(attachment);
  }

  private async saveOne(attachment: Attachment): Promise<void> {
    const { calls, ticks } = attachment.counters;
    if (this.savedAt.get(attachment) === calls + ticks || !attachment.breaker.admits()) return;
    const state = attachment.seat === null ? attachment.save() : await attachment.seat.save();
    if (state === null) return;
    const { name } = attachment;
    await this.ledger
      .exclusive(async () => {
        // It may have been detached while others were saved.
        if (this.attachments.get(name) !== attachment) return;
        await this.ledger.saveState(name, state);
        this.savedAt.set(attachment, calls + ticks);
      })
      .catch((error) => this.events.problem(`the state of ${JSON.stringify(name)} was not saved: ${describe(error)}`));
  }
}
