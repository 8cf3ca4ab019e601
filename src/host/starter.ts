import type { Clock } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import type { Compiler } from '../sandbox/compiler.js';
import type { Image } from '../sandbox/image.js';
import type { PreparedModule } from '../sandbox/prepare.js';
import type { Started } from '../sandbox/start.js';
import { packEntries } from '../sandbox/table.js';
import type { WorkerTier } from '../workers/tier.js';
import { Attachment } from './attachment.js';
import type { AttachmentDeclaration } from './declarations.js';
import type { PluginEvents } from './events.js';
import type { PluginRegistry, PluginVersion } from './registry.js';
import { Seat } from './seat.js';
import type { TableSource } from './table-source.js';
import type { PluginTurn } from './turn.js';

/** Images that are kept for others that start with the same, and how large they may be. */
const STARTS_MAX = 8;
const START_BYTES_MAX = 1024 * 1024;
/** Between two images of a guest whose table changes: copying a whole table takes milliseconds. */
const IMAGE_MS = 1_000;
/** In the place of a time: a timer runs already. */
const PLANNED = Number.POSITIVE_INFINITY;
/** Between two events that tell of refused entries: whoever writes to a bucket may do so often. */
const TELL_MS = 1_000;

interface Parts {
  clock: Clock;
  registry: PluginRegistry;
  events: PluginEvents;
  turn: PluginTurn;
  compiler: () => Promise<Compiler>;
  tier: () => Promise<WorkerTier>;
}

/** Starts plugins in a worker thread, each with its configuration and its table, and keeps the tables up to date. */
export class Starter {
  private readonly parts: Parts;
  /** Images of guests that started, by module, budget and configuration. */
  private readonly starts = new Map<string, Promise<Started>>();
  /** When an attachment's image may be made again. */
  private readonly nextImageMs = new WeakMap<Attachment, number>();
  /** When somebody was told of an entry that was refused. */
  private readonly toldMs = new WeakMap<Attachment, number>();
  private source: TableSource | null = null;

  constructor(parts: Parts) {
    this.parts = parts;
  }

  /** Makes an attachment that is ready to be put to work. Rejects with a `Failure` when the definition or the plugin says no. */
  async start(declaration: AttachmentDeclaration, version: PluginVersion): Promise<Attachment> {
    const { registry, clock } = this.parts;
    const { prepared } = await registry.load(version);
    const attachment = new Attachment(declaration, version, { clock });
    if (prepared.isLarge && declaration.tier !== 'worker') throw tooLargeForLoop(declaration);
    if (attachment.table !== null && !prepared.hasTable) throw withoutTable(declaration);
    try {
      await this.follow(attachment);
      if (declaration.tier === 'worker') await this.seat(attachment, version);
      else attachment.begin(await this.started(prepared, attachment));
    } catch (error) {
      attachment.retire();
      throw error;
    }
    return attachment;
  }

  /** Gives it a place in the worker tier. */
  private async seat(attachment: Attachment, version: PluginVersion): Promise<void> {
    const { registry, clock } = this.parts;
    const { metering } = attachment.declaration;
    const prepared =
      metering === 'off' ? await registry.loadUnmetered(version) : (await registry.load(version)).prepared;
    const started = await this.started(prepared, attachment);
    attachment.begin(started);
    const image = 'image' in started ? started.image : null;
    if (image === null && attachment.table !== null) throw withoutImage(attachment.declaration);
    const seat = new Seat(attachment, { tier: await this.parts.tier(), clock, prepared, image });
    attachment.seat = seat;
    seat.warmUp();
  }

  /** Throws a `Failure` when the bucket of a definition is not there. */
  checkBucket({ name, table: { bucket } = {} }: AttachmentDeclaration): void {
    if (bucket === undefined || this.source?.has(bucket)) return;
    const why = this.source === null ? ': the account has no streams' : '; create it first';
    const text = `attachment ${JSON.stringify(name)}: there is no key-value bucket ${JSON.stringify(bucket)}${why}`;
    throw new Failure('attachment-invalid', text);
  }

  /** Where buckets are from now on. Resolves when the tables of these attachments hold what is in theirs. */
  async feed(source: TableSource | null, attachments: readonly Attachment[]): Promise<void> {
    this.source = source;
    for (const { name, declaration } of source === null ? attachments : []) {
      if (declaration.table?.bucket === undefined) continue;
      const text = `attachment ${JSON.stringify(name)}: the account has no streams, so no bucket for its table`;
      this.parts.events.problem(text);
    }
    await Promise.all(attachments.map((attachment) => this.follow(attachment)));
  }

  private async follow(attachment: Attachment): Promise<void> {
    const { bucket, keys = '>' } = attachment.declaration.table ?? {};
    if (bucket === undefined || attachment.table === null || this.source === null) return;
    const feed = this.source.follow(bucket, keys, (key, value) => this.take(attachment, key, value));
    attachment.feed = feed;
    if (!feed.following) {
      const text = `attachment ${JSON.stringify(attachment.name)}: there is no key-value bucket ${JSON.stringify(bucket)} yet`;
      this.parts.events.problem(text);
    }
    await feed.ready;
  }

  /** As messages do, entries wait when plugins had their share of a turn. */
  private take(attachment: Attachment, key: string, value: Uint8Array | null): boolean {
    const { turn } = this.parts;
    if (turn.spent) return false;
    const isTaken = attachment.takeEntry(key, value);
    turn.add(attachment.work);
    if (!isTaken) this.tellRefused(attachment);
    if (attachment.table!.wantsImage) this.planImage(attachment);
    return true;
  }

  private tellRefused(attachment: Attachment): void {
    const { clock, events } = this.parts;
    const nowMs = clock.nowMs();
    if (nowMs - (this.toldMs.get(attachment) ?? 0) < TELL_MS) return;
    this.toldMs.set(attachment, nowMs);
    events.tell('entry-refused', attachment, { ...attachment.table!.lastRefusal });
  }

  private planImage(attachment: Attachment): void {
    const { clock } = this.parts;
    const nowMs = clock.nowMs();
    const nextMs = this.nextImageMs.get(attachment) ?? 0;
    if (nextMs === PLANNED) return;
    this.nextImageMs.set(attachment, PLANNED);
    clock.after(Math.max(0, nextMs - nowMs), () => void this.renewImage(attachment));
  }

  private async renewImage(attachment: Attachment): Promise<void> {
    const { prepared } = attachment.version;
    if (prepared === null) return;
    const fault = (text: string): Started => ({ fault: { cause: 'unavailable', text } });
    attachment.renewImage(await this.started(prepared, attachment).catch((error) => fault(String(error))));
    this.nextImageMs.set(attachment, this.parts.clock.nowMs() + IMAGE_MS);
  }

  /** A guest computes and nothing else: what starting it led to is the same for all that start with the same. */
  private started(prepared: PreparedModule, { budget, config, table, declaration }: Attachment): Promise<Started> {
    const start = (entries: Uint8Array | null) =>
      this.parts.compiler().then((compiler) => compiler.start(prepared, { budget, config, table: entries }));
    if (table !== null) return start(packEntries(table.beginImage()));
    const key = `${prepared.sha256} ${declaration.metering} ${JSON.stringify(budget)} ${config}`;
    const known = this.starts.get(key);
    if (known !== undefined) return known;
    const starting = start(null);
    this.starts.set(key, starting);
    const [oldest] = this.starts.keys();
    if (this.starts.size > STARTS_MAX) this.starts.delete(oldest);
    // What went wrong may go well the next time.
    const forget = () => {
      if (this.starts.get(key) === starting) this.starts.delete(key);
    };
    starting.then((result) => ('fault' in result || isLarge(result.image)) && forget(), forget);
    return starting;
  }
}

function isLarge(image: Image | null): boolean {
  return (image?.changes ?? []).reduce((sum, { bytes }) => sum + bytes.length, 0) > START_BYTES_MAX;
}

function withoutImage({ name, plugin }: AttachmentDeclaration): Failure {
  const text = `attachment ${JSON.stringify(name)}: plugin ${JSON.stringify(plugin)} cannot be copied, and a table in the tier "worker" is handed over by a copy`;
  return new Failure('attachment-refused', text);
}

function withoutTable({ name, plugin }: AttachmentDeclaration): Failure {
  const text = `attachment ${JSON.stringify(name)}: plugin ${JSON.stringify(plugin)} takes no table: it has no export "weir_table"`;
  return new Failure('attachment-invalid', text);
}

function tooLargeForLoop({ name, plugin }: AttachmentDeclaration): Failure {
  const text = `attachment ${JSON.stringify(name)}: plugin ${JSON.stringify(plugin)} is too large for the event loop; add "tier": "worker"`;
  return new Failure('attachment-invalid', text);
}
