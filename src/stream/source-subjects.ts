import { createHash } from 'node:crypto';
import { textOf, utf8 } from '../base/bytes.js';
import type { Message } from '../message/message.js';
import { SubjectTransform } from '../subject/transform.js';
import type { SourceConfig } from './stream-config.js';

/** Which of a source's messages are taken; none is all. */
export function sourceFilters({ filter_subject = '', subject_transforms = [] }: SourceConfig): string[] {
  return filter_subject === '' ? subject_transforms.map(({ src }) => src || '>') : [filter_subject];
}

/** Under which subjects a source's messages are stored. */
export class SourceSubjects {
  private readonly transforms: readonly SubjectTransform[];

  constructor({ subject_transforms = [] }: SourceConfig) {
    this.transforms = subject_transforms.map(({ src = '', dest = '' }) => new SubjectTransform(src, dest));
  }

  /** The message's new subject; null is its own. */
  of({ bytes, subjectStart, subjectEnd }: Message): Uint8Array | null {
    if (this.transforms.length === 0) return null;
    const subject = textOf(bytes, subjectStart, subjectEnd);
    for (const transform of this.transforms) {
      const changed = transform.match(subject);
      if (changed !== null) return utf8(changed);
    }
    return null;
  }
}

/** A source's name, filters and destinations as they stand in `Nats-Stream-Source`. */
export function identityOf(source: SourceConfig): { name: string; filters: string; destinations: string } {
  const { name = '', filter_subject = '', subject_transforms = [], external, consumer } = source;
  const several = subject_transforms.length > 0;
  // Streams of the same name in several accounts are told apart by the way to them.
  const away = external === undefined ? '' : `:${shortHash(external.api ?? '')}`;
  const named = consumer === undefined ? '' : `:C=${shortHash(consumer.name ?? '')}`;
  return {
    name: `${name}${away}${named}`,
    filters: several ? subject_transforms.map(({ src }) => src || '>').join('\f') : filter_subject || '>',
    destinations: several ? subject_transforms.map(({ dest }) => dest || '>').join('\f') : '>',
  };
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Eight letters and digits made of a text, as nats-server makes them. */
export function shortHash(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  return Array.from(digest.subarray(0, 8), (byte) => DIGITS[byte % DIGITS.length]).join('');
}
