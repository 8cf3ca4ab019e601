import { utf8 } from '../base/bytes.js';
import { Failure } from '../base/failure.js';
import type { RefusedEntry } from '../sandbox/table.js';
import type { AttachmentDeclaration, BudgetRequest } from './declarations.js';

interface TableLimits {
  entries: number;
  bytes: number;
}

const DEFAULT_LIMITS: TableLimits = { entries: 10_000, bytes: 1024 * 1024 };
/** What a manifest may ask for; whoever attaches the plugin may give it more. */
const ASKED_MAX: TableLimits = { entries: 20_000, bytes: 4 * 1024 * 1024 };

/** Changes that a new instance takes on one by one, on the event loop: with more of them, the image it is a copy of is made anew. */
const CHANGED_MAX = 256;
const CHANGED_BYTES_MAX = 64 * 1024;

/** Entries of an attachment's table: what its plugin was told, and what a new instance has to be told. */
export class GuestTable {
  /** Entries that the plugin, or the budget, refused. */
  refused = 0;
  lastRefusal: RefusedEntry | null = null;
  /** Of keys and values. */
  bytes = 0;
  private limits: TableLimits;
  /** What the definition says; a bucket may say otherwise. */
  private readonly declared = new Map<string, Uint8Array>();
  private readonly values = new Map<string, Uint8Array>();
  /** Keys whose values are not those of the image; and of the one that is being made, unless it fails. */
  private changed = new Set<string>();
  private imaged = new Set<string>();
  private changedBytes = 0;
  /** Whether the image has entries that should not be there. */
  private isStale = false;
  private isImaging = false;

  /** Throws a `Failure` when the definition says more than the budget allows. */
  constructor({ name, table = {}, budget }: AttachmentDeclaration, asked: BudgetRequest = {}) {
    this.limits = limitsOf(budget, asked);
    for (const [key, value] of Object.entries(table.entries ?? {})) {
      const bytes = utf8(JSON.stringify(value));
      this.declared.set(key, bytes);
      const limit = this.exceeded(key, bytes);
      if (limit !== null) {
        const text = `attachment ${JSON.stringify(name)}: its table has ${limit}; see "table_entries" and "table_bytes" of "budget"`;
        throw new Failure('attachment-invalid', text);
      }
      this.put(key, bytes);
    }
  }

  get size(): number {
    return this.values.size;
  }

  setBudget(said: BudgetRequest | undefined, asked: BudgetRequest = {}): void {
    this.limits = limitsOf(said, asked);
  }

  /** What holds when a bucket says this of a key. */
  presentOf(key: string, value: Uint8Array | null): Uint8Array | null {
    return value ?? this.declared.get(key) ?? null;
  }

  /** The limit that this entry would be beyond, or null. */
  exceeded(key: string, value: Uint8Array): string | null {
    const before = this.values.get(key);
    const { entries, bytes } = this.limits;
    if (before === undefined && this.values.size >= entries) return `more than ${entries} entries`;
    const grown = before === undefined ? sizeOf(key, value) : value.length - before.length;
    return this.bytes + grown > bytes ? `more than ${bytes} bytes` : null;
  }

  put(key: string, value: Uint8Array | null): void {
    const before = this.values.get(key);
    if (before !== undefined) this.bytes -= sizeOf(key, before);
    if (value === null) this.values.delete(key);
    else {
      this.values.set(key, value);
      this.bytes += sizeOf(key, value);
    }
    this.changed.add(key);
    this.changedBytes += sizeOf(key, value);
  }

  refuse(key: string, text: string): void {
    this.refused++;
    this.lastRefusal = { key, text };
  }

  /** What was said of a key last; null is nothing. */
  valueOf(key: string): Uint8Array | null {
    return this.values.get(key) ?? null;
  }

  /** Goes back to what the plugin had before it refused this; null is nothing, which it need not be told. */
  undo(key: string, before: Uint8Array | null, text: string): void {
    this.refuse(key, text);
    this.put(key, before);
    if (before !== null) return;
    this.changed.delete(key);
    this.imaged.delete(key);
    // It may be in the image.
    this.isStale = true;
  }

  /** What a new instance is told: everything, or what the image does not know. */
  news(hasImage: boolean): [key: string, value: Uint8Array | null][] {
    const keys = hasImage ? new Set([...this.imaged, ...this.changed]) : this.values.keys();
    return Array.from(keys, (key) => [key, this.values.get(key) ?? null]);
  }

  get wantsImage(): boolean {
    if (this.isImaging) return false;
    return this.isStale || this.changed.size > CHANGED_MAX || this.changedBytes > CHANGED_BYTES_MAX;
  }

  /** All entries, for an image: what changes from now on is not in it. */
  beginImage(): [key: string, value: Uint8Array][] {
    this.imaged = this.changed;
    this.changed = new Set();
    this.changedBytes = 0;
    this.isStale = false;
    this.isImaging = true;
    return [...this.values];
  }

  /** The image is there, or could not be made. */
  endImage(isMade: boolean): void {
    this.isImaging = false;
    if (!isMade) for (const key of this.imaged) this.changed.add(key);
    this.imaged = new Set();
  }
}

function limitsOf(said: BudgetRequest = {}, asked: BudgetRequest = {}): TableLimits {
  const { entries, bytes } = DEFAULT_LIMITS;
  return {
    entries: said.table_entries ?? Math.min(asked.table_entries ?? entries, ASKED_MAX.entries),
    bytes: said.table_bytes ?? Math.min(asked.table_bytes ?? bytes, ASKED_MAX.bytes),
  };
}

function sizeOf(key: string, value: Uint8Array | null): number {
  return Buffer.byteLength(key) + (value?.length ?? 0);
}
