import type { Permissions } from '../auth/permissions.js';
import { wordsOf } from '../base/bytes.js';
import type { Chain } from '../host/chain.js';
import type { Leg } from './subscription.js';

/** Everything the broker knows about one literal subject in one account: cached, thrown away when interest changes. */
export class Route {
  readonly subject: Uint8Array;
  readonly words: DataView;
  readonly hash: number;
  readonly legs: Leg[];
  /** Each queue group's members: one of them gets the message. */
  readonly groups: Leg[][];
  /** The plugins that run on this subject, or null. */
  readonly chain: Chain | null;
  /** Begins with `_GR_.`, `$GR.` or `$NRG.`: not for clients. */
  readonly reserved: boolean;
  /** Empty tokens, white space: matches nothing and may be refused in pedantic mode. */
  readonly valid: boolean;
  /** The permissions that were asked last, and what they said. */
  permissions: Permissions | null = null;
  permitted = false;

  constructor(parts: {
    subject: Uint8Array;
    hash: number;
    legs: Leg[];
    groups: Leg[][];
    chain: Chain | null;
    reserved: boolean;
    valid: boolean;
  }) {
    this.subject = parts.subject;
    this.words = wordsOf(parts.subject);
    this.hash = parts.hash;
    this.legs = parts.legs;
    this.groups = parts.groups;
    this.chain = parts.chain;
    this.reserved = parts.reserved;
    this.valid = parts.valid;
  }
}
