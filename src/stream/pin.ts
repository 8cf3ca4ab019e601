import { Alarm } from './alarm.js';
import type { PullRequest } from './pull-request.js';
import type { Surroundings } from './surroundings.js';
import { NEVER } from './time.js';

/** What a priority group shows of itself. */
export interface PriorityGroupJson {
  group: string;
  pinned_client_id?: string;
  pinned_ts: string;
}

/** Of the clients of a consumer with `pinned_client`, the one that gets all messages as long as it keeps asking. */
export class Pin {
  private readonly surroundings: Surroundings;
  private readonly alarm: Alarm;
  private readonly onChange: (kind: 'pinned' | 'unpinned', group: string, detail: string) => void;
  enabled = false;
  private timeoutMs = 0;
  private id = '';
  private group = '';
  private pinnedMs = 0;

  constructor(surroundings: Surroundings, onChange: Pin['onChange']) {
    this.surroundings = surroundings;
    this.onChange = onChange;
    this.alarm = new Alarm(surroundings.clock, () => this.release('timeout'));
  }

  configure(enabled: boolean, timeoutMs: number): void {
    this.enabled = enabled;
    this.timeoutMs = timeoutMs;
  }

  get header(): readonly [string, string] | null {
    return this.enabled && this.id !== '' ? ['Nats-Pin-Id', this.id] : null;
  }

  /** What is wrong with a new request, or null. */
  refuse({ pinId }: PullRequest): string | null {
    if (!this.enabled || this.id === '' || pinId === '') return null;
    if (pinId !== this.id) return '423 Nats-Pin-Id mismatch';
    this.hold();
    return null;
  }

  /** Whether a request may have a message: yes, not as long as another is pinned, or never with the pin that it shows. */
  admits({ pinId }: PullRequest): 'yes' | 'later' | 'wrong' {
    if (!this.enabled) return 'yes';
    if (pinId !== '') return pinId === this.id ? 'yes' : 'wrong';
    return this.id === '' ? 'yes' : 'later';
  }

  /** A request is about to get a message: without a pin it is pinned now. */
  take(request: PullRequest): void {
    if (!this.enabled || this.id !== '') return;
    this.id = this.surroundings.newId(22);
    this.group = request.group;
    request.pinId = this.id;
    this.pinnedMs = this.surroundings.clock.nowMs();
    this.hold();
    this.onChange('pinned', this.group, this.id);
  }

  /** Nobody is pinned any more. */
  release(reason: 'timeout' | 'admin'): void {
    this.alarm.cancel();
    if (this.id === '') return;
    this.id = '';
    this.onChange('unpinned', this.group, reason);
  }

  groups(names: readonly string[] = []): PriorityGroupJson[] {
    return names.map((group) => {
      if (this.id === '' || group !== this.group) return { group, pinned_ts: NEVER };
      return { group, pinned_client_id: this.id, pinned_ts: new Date(this.pinnedMs).toISOString() };
    });
  }

  close(): void {
    this.alarm.cancel();
  }

  private hold(): void {
    this.alarm.cancel();
    this.alarm.set(this.surroundings.clock.nowMs() + this.timeoutMs);
  }
}
