import type { Permissions } from '../auth/permissions.js';
import { NO_WORDS, packWords } from '../base/bytes.js';
import type { Chain } from '../host/chain.js';
import { NO_BYTES } from '../message/message.js';
import type { Mapping } from './mappings.js';
import type { Leg } from './subscription.js';

/**
 * Everything the broker knows about one literal subject in one account: cached, thrown away when interest changes. Or, without a
 * subject of its own, what is known about the subject of the message at hand, and nothing that is kept.
 */
export class Route {
  readonly kept: boolean;
  readonly subject: Uint8Array;
  readonly words: Int32Array;
  readonly hash: number;
  readonly legs: Leg[] = [];
  /** Each queue group's members: one of them gets the message. Last come, each alone, the accounts that import it as a stream. */
  readonly groups: Leg[][] = [];
  /** Whether some of them only hand it on to another account. */
  linked = false;
  /** What is left of a kept route for a message that came by an import (`partOf`), once that was asked for. */
  plainPart: Route | null = null;
  requestedPart: Route | null = null;
  /** The plugins that run on this subject, or null. */
  chain: Chain | null = null;
  /** Whether plugins run for some of the receivers. */
  filtered = false;
  /** Begins with `_GR_.`, `$GR.` or `$NRG.`: not for clients. */
  reserved = false;
  /** Where messages of clients go instead, or null. */
  mapping: Mapping | null = null;
  /** Whether it is reserved or mapped: one look for what is rare. */
  special = false;
  /** The permissions that were asked last, and what they said. */
  permissions: Permissions | null = null;
  permitted = false;
  /** A message is being delivered by a route that is not kept: a look-up on the way needs another one. */
  busy = false;

  constructor(subject: Uint8Array | null, hash: number) {
    this.kept = subject !== null;
    this.subject = subject ?? NO_BYTES;
    this.words = subject === null ? NO_WORDS : packWords(subject);
    this.hash = hash;
  }
}
