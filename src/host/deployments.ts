import type { Clock } from '../base/clock.js';
import { describe, Failure } from '../base/failure.js';
import { Attachment } from './attachment.js';
import type { AttachmentSet } from './attachment-set.js';
import { refuseCircle } from './circles.js';
import type { AttachmentDeclaration, BudgetRequest } from './declarations.js';
import type { PluginEvents } from './events.js';
import { handOver, handOverBeside } from './hand-over.js';
import type { Ledger } from './ledger.js';
import type { AttachmentRecord, ResolvedDeclaration } from './ledger-contents.js';
import type { PluginLimits } from './limits.js';
import { checkName } from './names.js';
import type { PluginRegistry, PluginVersion } from './registry.js';
import type { Starter } from './starter.js';
import { newTrack, type Track } from './track.js';

/** A definition that ran can be gone back to so many times. */
const PREVIOUS_MAX = 3;
/** A new version that is quarantined within this time gives way to the one before. */
const BAKE_MS = 60_000;

interface Parts {
  clock: Clock;
  ledger: Ledger;
  registry: PluginRegistry;
  attachments: AttachmentSet;
  events: PluginEvents;
  starter: Starter;
  limits: () => PluginLimits;
  /** Called with an attachment that will see no more messages, before its instance goes. */
  onRetire: (attachment: Attachment) => Promise<void>;
}

/** A change of what an attachment is: nothing is changed that is not named. */
export interface SwapRequest {
  version?: number;
  config?: unknown;
}

/**
 * Which definition of an attachment runs. A new one is started in a worker thread, and put in the place of the old one between two messages: each
 * message is seen by exactly one of them. Whatever fails, what ran before goes on.
 */
export class Deployments {
  private readonly parts: Parts;
  private readonly tracks = new Map<string, Track>();
  /** Attachments of the configuration file: requests leave them alone. */
  private readonly declared = new Set<string>();

  constructor(parts: Parts) {
    this.parts = parts;
  }

  trackOf(name: string): Track {
    const found = this.tracks.get(name) ?? newTrack();
    this.tracks.set(name, found);
    found.declared = this.declared.has(name);
    return found;
  }

  /** Versions that run, or may have to run again at once. */
  used(): Set<PluginVersion> {
    const used = new Set(this.parts.attachments.all().map(({ version }) => version));
    for (const { previous } of this.tracks.values()) if (previous !== null) used.add(previous.version);
    return used;
  }

  /**
   * Makes an attachment whose plugin was started in a worker thread, for `put`; nothing runs yet. The present one when it has the same definition.
   * Rejects with a `Failure` when the definition or the plugin says no, or what it emits came back to it along `others`.
   */
  async start(
    declaration: AttachmentDeclaration,
    replace = false,
    others: () => readonly AttachmentDeclaration[] = () => this.definitions(),
  ): Promise<Attachment> {
    const before = this.sameAsBefore(declaration, replace);
    if (before !== null) return before;
    refuseCircle(declaration, others);
    const version = this.parts.registry.version(declaration.plugin, declaration.version);
    const attachment = await this.parts.starter.start(declaration, version);
    const present = this.parts.attachments.get(declaration.name);
    if (present === undefined) await this.bringState(attachment);
    // Whoever puts it in the place of that one may not be able to wait for a worker.
    else if (present.seat !== null && present.keepsState) await present.seat.save();
    return attachment;
  }

  /** Starts and puts to work at once. The event loop waits while the plugin starts: for those who know the plugin. */
  attach(declaration: AttachmentDeclaration, replace = false): Attachment {
    const before = this.sameAsBefore(declaration, replace);
    if (before !== null) return before;
    const version = this.parts.registry.version(declaration.plugin, declaration.version);
    const attachment = new Attachment(declaration, version, this.parts);
    attachment.beginHere();
    return this.put(attachment, replace);
  }

  /** Puts an attachment that was started to work; nothing of it is stored. */
  put(attachment: Attachment, replace = false): Attachment {
    const before = this.parts.attachments.get(attachment.name);
    if (before === attachment) return attachment;
    this.checkPlace(attachment.name, replace);
    this.switchTo(attachment);
    return attachment;
  }

  /** Attaches what a request asks for, durably. */
  async create(declaration: AttachmentDeclaration, replace = false): Promise<Attachment> {
    this.refuseDeclared(declaration.name);
    this.parts.starter.checkBucket(declaration);
    const attachment = await this.start(declaration, replace);
    return this.commit(attachment, replace);
  }

  /** Goes on with another version or configuration. */
  async swap(name: string, request: SwapRequest): Promise<Attachment> {
    this.refuseDeclared(name);
    const before = this.find(name);
    const { registry } = this.parts;
    const version = registry.version(before.declaration.plugin, request.version);
    const config = Object.hasOwn(request, 'config') ? request.config : before.declaration.config;
    const declaration = { ...before.declaration, config, version: version.number };
    if (config === undefined) delete declaration.config;
    if (version === before.version && JSON.stringify(config) === JSON.stringify(before.declaration.config))
      return before;
    return this.commit(await this.parts.starter.start(declaration, version), true);
  }

  /** Another version or configuration of an attachment, started and not put to work: to be tried out. */
  candidate(name: string, request: SwapRequest): Promise<Attachment> {
    const { declaration } = this.find(name);
    const version = this.parts.registry.version(declaration.plugin, request.version);
    const config = Object.hasOwn(request, 'config') ? request.config : declaration.config;
    return this.parts.starter.start({ ...declaration, config, version: version.number }, version);
  }

  /** Goes back to the definition before. */
  async rollback(name: string): Promise<Attachment> {
    this.refuseDeclared(name);
    const before = this.find(name);
    const record = this.recordOf(name);
    const [target] = record?.previous ?? [];
    if (target === undefined) {
      throw new Failure(
        'attachment-first',
        `attachment ${JSON.stringify(name)} has no definition before the present one`,
      );
    }
    const { registry } = this.parts;
    const version = registry.version(target.declaration.plugin, target.version);
    const attachment = await this.parts.starter.start(target.declaration, version);
    await this.commitAs(attachment, before, () => {
      const { previous } = this.recordOf(name) ?? { previous: [] };
      return { declaration: target.declaration, version: target.version, previous: previous.slice(1) };
    });
    const track = this.trackOf(name);
    // What was left on purpose is not gone back to by itself.
    track.previous?.retire();
    track.previous = null;
    track.rollbacks++;
    return attachment;
  }

  /** Other budgets from the next message on; another memory budget by a new instance, which the next message makes. */
  async setBudget(name: string, budget: BudgetRequest): Promise<Attachment> {
    this.refuseDeclared(name);
    const { ledger } = this.parts;
    return ledger.exclusive(async () => {
      const attachment = this.find(name);
      const declaration = { ...attachment.declaration, budget: { ...attachment.declaration.budget, ...budget } };
      const change = (record: AttachmentRecord) => ({
        ...record,
        declaration: { ...record.declaration, budget: declaration.budget },
      });
      await ledger.save({
        attachments: ledger.attachments.map((record) => (record.declaration.name === name ? change(record) : record)),
      });
      const memory = attachment.budget.memoryBytesMax;
      attachment.setBudget(declaration.budget);
      if (attachment.budget.memoryBytesMax !== memory && attachment.seat === null) {
        attachment.save();
        attachment.release();
      }
      return attachment;
    });
  }

  async detach(name: string): Promise<void> {
    const { ledger, attachments, events } = this.parts;
    this.refuseDeclared(name);
    await ledger.exclusive(async () => {
      const attachment = this.find(name);
      await ledger.save({ attachments: this.without(name), gone: [name] });
      attachments.delete(name);
      this.forget(name);
      void this.parts.onRetire(attachment);
      attachment.retire();
      events.tell('detached', attachment, {});
      // It is detached, whatever becomes of this: the ledger says what is left to be done.
      await ledger
        .removeStates()
        .catch((error) => events.problem(`the state of ${JSON.stringify(name)} was not removed: ${describe(error)}`));
    });
  }

  /** From now on these are the configuration file's; what requests stored under their names is forgotten. */
  takeOver(names: readonly string[]): void {
    const { ledger, events } = this.parts;
    this.declared.clear();
    for (const name of names) this.declared.add(name);
    if (!ledger.attachments.some(({ declaration }) => this.declared.has(declaration.name))) return;
    void ledger
      .exclusive(() => {
        const attachments = ledger.attachments.filter(({ declaration }) => !this.declared.has(declaration.name));
        return ledger.save({ attachments });
      })
      .catch((error) => events.problem(`attachments of the configuration were not stored: ${describe(error)}`));
  }

  private forget(name: string): void {
    this.tracks.get(name)?.previous?.retire();
    this.tracks.delete(name);
  }

  /** Takes an attachment of the configuration file out of the way. */
  withdraw(name: string): void {
    const attachment = this.parts.attachments.get(name);
    if (attachment === undefined) return;
    this.parts.attachments.delete(name);
    this.forget(name);
    void this.parts.onRetire(attachment);
    attachment.retire();
    if (!attachment.keepsState) return;
    const { ledger, events } = this.parts;
    ledger
      .exclusive(() => ledger.store.writeGuestState(name, null))
      .catch((error) => events.problem(`the state of ${JSON.stringify(name)} was not removed: ${describe(error)}`));
  }

  /** Brings back what requests had attached. One that cannot run is attached all the same: its failure policy holds, and nothing slips by. */
  async restore(onProblem: (text: string) => void): Promise<void> {
    const { ledger, attachments } = this.parts;
    const restored: Attachment[] = [];
    for (const record of ledger.attachments) restored.push(await this.restoreOne(record, onProblem));
    attachments.together(() => {
      for (const attachment of restored) attachments.put(attachment);
    });
    for (const attachment of restored) this.watch(attachment);
  }

  private async restoreOne(
    { declaration, version: number }: AttachmentRecord,
    onProblem: (text: string) => void,
  ): Promise<Attachment> {
    const { registry, clock, starter } = this.parts;
    const { name } = declaration;
    checkName('attachment', name);
    const version = registry.version(declaration.plugin, number);
    try {
      const attachment = await starter.start(declaration, version);
      await this.bringState(attachment);
      return attachment;
    } catch (error) {
      const damage = `the plugin could not be brought back: ${describe(error)}`;
      onProblem(`attachment ${JSON.stringify(name)} cannot run, its failure policy holds: ${describe(error)}`);
      return new Attachment(declaration, version, { clock, damage });
    }
  }

  /** Hands over what was saved before a restart, if there is anything. */
  private async bringState(attachment: Attachment): Promise<void> {
    if (!attachment.keepsState) return;
    const { ledger, events } = this.parts;
    const without = (why: string) =>
      events.problem(`attachment ${JSON.stringify(attachment.name)} begins without its saved state: ${why}`);
    try {
      const state = await ledger.store.readGuestState(attachment.name);
      if (state === null) return;
      if (attachment.seat === null ? attachment.restore(state) : await attachment.seat.restore(state)) return;
      without(attachment.fault.text);
    } catch (error) {
      without(describe(error));
    }
  }

  /** The same declaration again is the attachment there is; another one of the same name needs `replace`. */
  private sameAsBefore(declaration: AttachmentDeclaration, replace: boolean): Attachment | null {
    checkName('attachment', declaration.name);
    const before = this.parts.attachments.get(declaration.name);
    const version = this.parts.registry.version(declaration.plugin, declaration.version);
    if (before?.version === version && JSON.stringify(before.declaration) === JSON.stringify(declaration))
      return before;
    if (before !== undefined && !replace) throw existsAlready(declaration.name);
    return null;
  }

  private checkPlace(name: string, replace: boolean): void {
    const { attachments, limits } = this.parts;
    if (attachments.get(name) !== undefined) {
      if (!replace) throw existsAlready(name);
    } else if (attachments.size >= limits().attachments) {
      throw new Failure('attachments-full', `there are ${limits().attachments} attachments, the most allowed`);
    }
  }

  private commit(attachment: Attachment, replace: boolean): Promise<Attachment> {
    const { name } = attachment;
    const before = this.parts.attachments.get(name);
    return this.commitAs(attachment, before, () => {
      this.checkPlace(name, replace);
      const record = this.recordOf(name);
      const previous = record === undefined ? [] : [resolved(record), ...record.previous].slice(0, PREVIOUS_MAX);
      return { declaration: attachment.declaration, version: attachment.version.number, previous };
    });
  }

  /** Stores, then switches; when the switch fails, what was stored before is stored again. */
  private async commitAs(
    attachment: Attachment,
    before: Attachment | undefined,
    recordAs: () => AttachmentRecord,
  ): Promise<Attachment> {
    const { ledger, attachments } = this.parts;
    const { name } = attachment;
    const change = async () => {
      const present = attachments.get(name);
      if (present === attachment) return attachment;
      if (present !== before) throw changedMeanwhile(name);
      this.refuseGone(attachment);
      const stored = ledger.attachments;
      await ledger.save({ attachments: [...this.without(name), recordAs()] });
      try {
        await this.change(attachment, before);
      } catch (error) {
        await ledger.save({ attachments: stored });
        throw error;
      }
      return attachment;
    };
    try {
      return await ledger.exclusive(change);
    } catch (error) {
      if (attachment !== before && attachments.get(name) !== attachment) attachment.retire();
      throw error;
    }
  }

  /** Its plugin may have been removed, and its version may have made room for others, while it started. */
  private refuseGone({ declaration, version }: Attachment): void {
    if (this.parts.registry.version(declaration.plugin, version.number) === version) return;
    throw new Failure(
      'attachment-changed',
      `plugin ${JSON.stringify(declaration.plugin)} was installed anew while attachment ${JSON.stringify(declaration.name)} started`,
    );
  }

  /** Puts it in the place of what was there. Where a state lies in a worker thread, messages wait while it moves. */
  private async change(attachment: Attachment, before: Attachment | undefined): Promise<void> {
    if (before === undefined || (before.seat === null && attachment.seat === null)) {
      this.switchTo(attachment);
      return;
    }
    before.seat?.hold();
    try {
      const handed = await handOverBeside(before, attachment);
      if (this.parts.attachments.get(attachment.name) !== before) throw changedMeanwhile(attachment.name);
      // What an instance on the event loop did while the other one took its state over.
      const later = handed && before.seat === null ? before.save() : null;
      attachment.seat?.hold();
      this.switchTo(attachment, handed);
      if (later !== null) await attachment.seat?.restore(later);
    } catch (error) {
      before.seat?.goOn(before);
      throw error;
    }
    attachment.seat?.goOn(attachment);
    before.seat?.goOn(attachment);
  }

  /** Between two messages: the state moves over, the new one is in its place, the old one goes. */
  private switchTo(attachment: Attachment, isHanded?: boolean): void {
    const { attachments, events, clock, registry } = this.parts;
    const before = attachments.get(attachment.name);
    if (before !== undefined) attachment.failures = before.failures;
    const handed = isHanded ?? (before !== undefined && handOver(before, attachment));
    attachment.successor = null;
    if (before !== undefined) before.successor = attachment;
    attachments.put(attachment);
    this.watch(attachment);
    if (before === undefined) {
      events.tell('attached', attachment, {});
      return;
    }
    const track = this.trackOf(attachment.name);
    track.previous?.retire();
    track.previous = before;
    track.swappedMs = clock.nowMs();
    track.swaps++;
    if (!handed) void this.parts.onRetire(before);
    before.endTrial();
    before.release();
    events.tell('swapped', attachment, { from_version: before.version.number, from_plugin: before.declaration.plugin });
    registry.release(this.used());
  }

  private watch(attachment: Attachment): void {
    attachment.breaker.onChange = (quarantined) => {
      const { cause, text } = attachment.fault;
      this.parts.events.tell(quarantined ? 'quarantined' : 'recovered', attachment, quarantined ? { cause, text } : {});
      // Not now: the chain that runs still reads what the instance wrote.
      if (quarantined) queueMicrotask(() => this.rollbackWhenFresh(attachment));
    };
  }

  /** A version that fails right after it was swapped in gives way to the one before. */
  private rollbackWhenFresh(attachment: Attachment): void {
    const { attachments, clock, events, ledger } = this.parts;
    const { name } = attachment;
    const track = this.trackOf(name);
    const { previous } = track;
    if (attachments.get(name) !== attachment || previous === null || clock.nowMs() - track.swappedMs > BAKE_MS) return;
    track.previous = null;
    track.rollbacks++;
    previous.failures = attachment.failures;
    if (attachment.savedState !== null) previous.savedState = attachment.savedState;
    previous.successor = null;
    attachment.successor = previous;
    attachments.put(previous);
    attachment.retire();
    const { cause, text } = attachment.fault;
    events.tell('rolled-back', previous, { from_version: attachment.version.number, cause, text });
    const record = this.recordOf(name);
    if (record === undefined) return;
    const stored = {
      declaration: previous.declaration,
      version: previous.version.number,
      previous: record.previous.slice(1),
    };
    void ledger
      .exclusive(() => ledger.save({ attachments: [...this.without(name), stored] }))
      .catch((error) => events.problem(`the rollback of ${JSON.stringify(name)} was not stored: ${describe(error)}`));
  }

  /** Throws a `Failure` when there is none. */
  find(name: string): Attachment {
    const found = this.parts.attachments.get(name);
    if (found !== undefined) return found;
    throw new Failure('attachment-not-found', `there is no attachment ${JSON.stringify(name)}`);
  }

  /** What is attached, as it was defined. */
  definitions(): AttachmentDeclaration[] {
    return this.parts.attachments.all().map(({ declaration }) => declaration);
  }

  private recordOf(name: string): AttachmentRecord | undefined {
    return this.parts.ledger.attachments.find(({ declaration }) => declaration.name === name);
  }

  private without(name: string): AttachmentRecord[] {
    return this.parts.ledger.attachments.filter(({ declaration }) => declaration.name !== name);
  }

  private refuseDeclared(name: string): void {
    if (!this.declared.has(name)) return;
    throw new Failure(
      'attachment-declared',
      `attachment ${JSON.stringify(name)} is declared in the configuration file: change it there and reload`,
    );
  }
}

function changedMeanwhile(name: string): Failure {
  return new Failure(
    'attachment-changed',
    `attachment ${JSON.stringify(name)} was changed by another request meanwhile`,
  );
}

function resolved({ declaration, version }: AttachmentRecord): ResolvedDeclaration {
  return { declaration, version };
}

function existsAlready(name: string): Failure {
  return new Failure(
    'attachment-exists',
    `attachment ${JSON.stringify(name)} exists with another definition; add "replace": true to change it`,
  );
}
