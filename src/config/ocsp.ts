import type { ConfigValue } from './grammar.js';
import { keys, readBlock } from './key-table.js';
import { configError } from './place.js';
import { durationMs, flag, map, text, texts, whole } from './values.js';

/**
 * What configurations say about OCSP. This server asks no responders: it sends no answers of theirs with its certificates (stapling), and does not
 * look whether clients' certificates were revoked. What is turned off is as it should be; anything else is refused, since whoever writes it relies on it.
 */
const REFUSED =
  'OCSP is not supported by this server: it staples no responses and does not ask whether certificates were revoked';

const MODES = ['auto', 'always', 'never', 'must'];

/** `ocsp: false`, or `ocsp { mode: never }`. */
export function readOcsp(_: unknown, value: ConfigValue, key: string): void {
  if (value.kind !== 'map') {
    if (flag(value, key)) throw configError(value.place, `${REFUSED}; expected false or { mode: never }`);
    return;
  }
  const said = { mode: 'auto' };
  const table = keys<typeof said>({
    mode: (to, entry, name) => {
      to.mode = text(entry, name).toLowerCase();
      if (!MODES.includes(to.mode))
        throw configError(entry.place, `error parsing ocsp config: unsupported ocsp mode ${JSON.stringify(to.mode)}`);
    },
    'urls|url': (_to, entry, name) => void texts(entry, name),
  });
  readBlock(value, table, said);
  if (said.mode !== 'never') throw configError(value.place, `${REFUSED}; expected the mode "never"`);
}

const peerTable = keys<{ verify: boolean }>({
  verify: (to, value, key) => {
    to.verify = flag(value, key);
  },
  ca_timeout: (_, value, key) => void durationMs(value, key),
  allowed_clockskew: (_, value, key) => void durationMs(value, key),
  cache_ttl_when_next_update_unset: (_, value, key) => void durationMs(value, key),
  'warn_only|unknown_is_good|allow_when_ca_unreachable': (_, value, key) => void flag(value, key),
});

/** `ocsp_peer: false`, or `ocsp_peer { verify: false }`. */
export function readOcspPeer(_: unknown, value: ConfigValue, key: string): void {
  const wanted = value.kind === 'map' ? readBlock(value, peerTable, { verify: false }).verify : flag(value, key);
  if (wanted) throw configError(value.place, `${REFUSED}; expected false or { verify: false }`);
}

const cacheTable = keys<unknown>({
  type: (_, value, key) => void text(value, key),
  local_store: (_, value, key) => void text(value, key),
  preserve_revoked: (_, value, key) => void flag(value, key),
  save_interval: (_, value, key) =>
    void (value.kind === 'number' ? whole(0, 2 ** 31)(value, key) : durationMs(value, key)),
});

/** Where answers of responders would be kept: of no effect, since there are none. */
export function readOcspCache(_: unknown, value: ConfigValue, key: string): void {
  if (value.kind === 'boolean') return;
  readBlock(map(value, key), cacheTable, undefined);
}
