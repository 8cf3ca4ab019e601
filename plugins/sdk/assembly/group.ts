// How plugins that remember tell their messages apart: by a field, by a token of the subject, or by all of it.
import { Json } from './json';
import { Keys, KEYS_MAX } from './keys';
import { Buffer } from './memory';
import { Message } from './message';
import { Path } from './path';
import { refuse } from './plugin';
import { fieldOf, wholeOf } from './policy';
import { Kind } from './tape';
import { Value } from './value';

/** Longer keys are none. */
export const KEY_BYTES_MAX: usize = 256;
/** The keys that plugins have a place for when nothing is said. */
const KEYS_DEFAULT: i32 = 10_000;
const TOKEN_MAX: i32 = 255;
const STATE_BYTES_MAX: usize = 1024 * 1024;

const KEY: Buffer = new Buffer();

/** The keys of configurations that `Groups` reads. */
export const GROUP_KEYS: string[] = ['key', 'token', 'keys_max'];

/** What is remembered of each group of messages: the values of `Keys`, found by message. */
@unmanaged
export class Groups {
  readonly keys: Keys;
  /** The key of the message that was last asked for. */
  start: usize = 0;
  bytes: usize = 0;
  private path: Path | null = null;
  private token: i32 = -1;

  /** Reads `key`, `token` and `keys_max`. */
  constructor(config: Json, valueBytes: usize, keysMax: i32 = KEYS_MAX) {
    if (config.has('key') && config.has('token')) refuse('expected either "key", the path of a field, or "token", the index of a token of the subject');
    if (config.has('key')) this.path = fieldOf(config, 'key');
    this.token = wholeOf(config, 'token', -1, 0, TOKEN_MAX);
    this.keys = new Keys(valueBytes, wholeOf(config, 'keys_max', min(KEYS_DEFAULT, keysMax), 1, keysMax));
  }

  /** Whether the message has a key; it is at `start`, until the message is changed. */
  find(message: Message): bool {
    const path = this.path;
    if (path !== null) return this.findValue(message.json.peek(path));
    this.start = message.subjectStart;
    this.bytes = message.subjectBytes;
    if (this.token >= 0) {
      this.start = message.tokenStart(this.token);
      if (this.start == 0) return false;
      this.bytes = message.tokenEnd(this.start) - this.start;
    }
    return this.bytes <= KEY_BYTES_MAX;
  }

  /** The value of that key, which is made if it is not there; see `Keys.take`. */
  take(): usize {
    return this.keys.take(this.start, this.bytes);
  }

  /** Whether `take` has to give up a key for that one. */
  get isPushing(): bool {
    return this.keys.isFull && this.keys.find(this.start, this.bytes) == 0;
  }

  /** What was wrong with a message that has no key. */
  problem(): string {
    const path = this.path;
    if (this.bytes > KEY_BYTES_MAX && this.start != 0) return `the key has more than ${KEY_BYTES_MAX} bytes`;
    return path !== null ? `there is no text, number or boolean "${path.text}"` : `the subject has no token ${this.token}`;
  }

  /** See `saveKeys`. */
  save(to: Buffer): void {
    saveKeys(this.keys, to);
  }

  restore(start: usize, bytes: usize): void {
    restoreKeys(this.keys, start, bytes);
  }

  private findValue(value: Value): bool {
    const kind = value.kind;
    this.start = 0;
    this.bytes = 0;
    if (kind != Kind.String && kind != Kind.Number && kind != Kind.Boolean) return false;
    this.start = value.plain;
    this.bytes = value.plainBytes;
    if (value.isEscaped) {
      // There is one place for texts without their escapes, and the next one takes it.
      KEY.length = 0;
      KEY.append(this.start, this.bytes);
      this.start = KEY.start;
    }
    return this.bytes <= KEY_BYTES_MAX;
  }
}

/** For `onSaveBytes`: what can be kept; of more keys, those that came last. */
export function saveKeys(keys: Keys, to: Buffer): void {
  keys.saveTo(to, STATE_BYTES_MAX - to.length);
}

/** For `onRestoreBytes`: takes that on, or refuses it. */
export function restoreKeys(keys: Keys, start: usize, bytes: usize): void {
  if (!keys.restoreFrom(start, bytes)) refuse('the state was saved by another version, or with another configuration');
}
