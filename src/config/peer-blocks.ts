import type { Draft } from './draft.js';
import type { ConfigValue } from './grammar.js';
import { type Apply, blockOf, blocksOf, checked, type KeyTable, keys, readBlock, set } from './key-table.js';
import type { PeerListenerOptions } from './options.js';
import { configError } from './place.js';
import {
  address,
  durationMs,
  expected,
  flag,
  map,
  oneOf,
  parseDuration,
  port,
  type Read,
  text,
  textMap,
  texts,
  whole,
} from './values.js';

/** `port` is as written: 0 is none, -1 is any free one. */
interface PeerDraft {
  name: string;
  host: string;
  port: number;
}

const count = whole(0, 2 ** 31);

/** A name of a cluster: other servers take it apart at blanks. */
const clusterName: Read<string> = (value, key) => {
  const name = text(value, key);
  return name === '' || /\s/.test(name) ? expected(value, key, 'a name without blanks') : name;
};

const url: Read<string> = (value, key) => {
  const address = text(value, key);
  return URL.canParse(address) ? address : expected(value, key, 'a URL such as "nats://host:port"');
};

const urls: Read<string[]> = (value, key) =>
  value.kind === 'array' ? value.items.map((item) => url(item, key)) : expected(value, key, 'an array of URLs');

const anyTls: Read<void> = blockOf(
  checked({
    'cert_file|key_file|ca_file|cert_store|cert_match_by|cert_match': text,
    'insecure|verify|verify_and_map|verify_cert_and_check_known_urls|allow_insecure_cipher_suites': flag,
    'cipher_suites|curve_preferences|pinned_certs|ca_certs_match': texts,
    timeout: durationMs,
    connection_rate_limit: count,
    'handshake_first|first|immediate|ocsp_peer': () => undefined,
    cert_match_skip_invalid: flag,
    'certs|certificates': blocksOf(checked({ 'cert_file|key_file': text })),
    min_version: text,
  }),
);

const COMPRESSIONS = [
  'on',
  'off',
  'true',
  'false',
  'accept',
  's2_fast',
  's2_better',
  's2_best',
  's2_auto',
  's2_uncompressed',
] as const;
const COMPRESSION_WORDS = oneOf(
  ...COMPRESSIONS,
  'disabled',
  'enabled',
  'fast',
  'better',
  'best',
  'auto',
  'uncompressed',
);
const compression: Read<unknown> = (value, key) =>
  value.kind === 'map'
    ? blockOf(checked({ mode: COMPRESSION_WORDS, 'rtt_thresholds|thresholds|rtts|rtt': durations }))(value, key)
    : COMPRESSION_WORDS(value, key);

const durations: Read<string[]> = (value, key) =>
  texts(value, key).map((item) => (parseDuration(item) === null ? expected(value, key, 'durations') : item));

const writeTimeout = oneOf('default', 'close', 'retry');
/** Servers log in with one user: no tokens, no lists of users. */
const serverLogin = blockOf(checked({ 'user|username|pass|password': text, timeout: durationMs, permissions: map }));
const simpleLogin = blockOf(checked({ 'user|username|pass|password|token': text, timeout: durationMs }));
const leafUsers = blocksOf(checked({ 'user|username|pass|password|account': text, proxy_required: flag }));

const remote = blocksOf(
  checked({
    'url|urls': (value, key) => (value.kind === 'array' ? urls(value, key) : url(value, key)),
    'no_randomize|dont_randomize|hub|ws_compress|ws_compression|websocket_compress|websocket_compression': flag,
    'ws_no_masking|websocket_no_masking|isolate_leafnode_interest|isolate|request_isolation': flag,
    'disabled|ignore_discovered_servers': flag,
    'account|local|creds|credentials|nkey|seed': text,
    'deny_imports|deny_import|deny_exports|deny_export': texts,
    'jetstream_cluster_migrate|js_cluster_migrate': (value, key) =>
      value.kind === 'map' ? textMap(value, key) : flag(value, key),
    tls: anyTls,
    compression,
    'first_info_timeout|dial_timeout': durationMs,
    proxy: blockOf(checked({ url, 'username|password': text, timeout: durationMs, tls: anyTls })),
  }),
);

const listen: KeyTable<PeerDraft> = keys<PeerDraft>({
  listen: (peer, value, key) => {
    const { host, port: at } = address(value, key);
    peer.host = host || peer.host;
    peer.port = at;
  },
  port: set('port', port),
  'host|net': set('host', text),
});

const named: KeyTable<PeerDraft> = { ...listen, name: set('name', clusterName) };
const deadlines = { write_deadline: durationMs, write_timeout: writeTimeout };

/** The keys of blocks whose feature is not there yet: all are known and checked, so that a mistake is found today. */
const TABLES = {
  cluster: {
    ...named,
    ...checked<PeerDraft>({
      authorization: serverLogin,
      permissions: map,
      routes: urls,
      tls: anyTls,
      'cluster_advertise|advertise': text,
      'no_advertise|connect_backoff': flag,
      'connect_retries|ping_max': count,
      pool_size: whole(-1, 2 ** 31),
      accounts: texts,
      compression,
      ping_interval: durationMs,
      ...deadlines,
    }),
  },
  leafnodes: {
    ...listen,
    ...checked<PeerDraft>({
      authorization: blockOf(
        checked({
          'user|username|pass|password|nkey|account': text,
          timeout: durationMs,
          users: leafUsers,
          proxy_required: flag,
        }),
      ),
      remotes: remote,
      'reconnect|reconnect_delay|reconnect_interval|dial_timeout': durationMs,
      tls: anyTls,
      'leafnode_advertise|advertise|min_version|minimum_version': text,
      'no_advertise|isolate_leafnode_interest|isolate': flag,
      compression,
      ...deadlines,
    }),
  },
  gateway: {
    ...named,
    ...checked<PeerDraft>({
      authorization: serverLogin,
      tls: anyTls,
      advertise: text,
      connect_retries: count,
      'connect_backoff|reject_unknown|reject_unknown_cluster': flag,
      gateways: blocksOf(checked({ name: clusterName, tls: anyTls, url, urls })),
      ...deadlines,
    }),
  },
  mqtt: {
    ...listen,
    ...checked<PeerDraft>({
      tls: anyTls,
      'authorization|authentication': simpleLogin,
      'no_auth_user|js_domain': text,
      'ack_wait|ackwait|js_api_timeout|api_timeout|consumer_inactive_threshold|consumer_auto_cleanup': durationMs,
      'max_ack_pending|max_pending|max_inflight': whole(0, 0xffff),
      'stream_replicas|consumer_replicas': count,
      'consumer_memory_storage|reject_qos2_publish|downgrade_qos2_subscribe': flag,
    }),
  },
} satisfies Record<string, KeyTable<PeerDraft>>;

/** Features that other servers or clients of another kind connect to. */
export type PeerBlock = keyof typeof TABLES;

/** Reads a block of a feature that is not there yet. */
export function readPeer(kind: PeerBlock): Apply<Draft> {
  return ({ options }, value, key) => {
    const peer = readBlock(map(value, key), TABLES[kind], { name: '', host: '0.0.0.0', port: 0 });
    if (kind === 'gateway') checkGateway(peer, value);
    options[kind] = peerOf(peer);
  };
}

function peerOf({ name, host, port: at }: PeerDraft): PeerListenerOptions {
  return { name, host, port: at === 0 ? null : Math.max(0, at) };
}

function checkGateway(gateway: PeerDraft, { place }: ConfigValue): void {
  if (gateway.name === '') throw configError(place, 'gateway has no name');
  if (gateway.port === 0)
    throw configError(
      place,
      `gateway ${JSON.stringify(gateway.name)} has no port specified (select -1 for random port)`,
    );
}
