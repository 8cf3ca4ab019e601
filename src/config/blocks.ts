import type { AttachmentDeclaration } from '../host/declarations.js';
import type { ConfigValue } from './grammar.js';
import type { Options, PeerListenerOptions, TlsOptions, WebSocketOptions } from './options.js';
import {
  accepted,
  address,
  durationMs,
  flag,
  type KeyTable,
  keys,
  map,
  plain,
  port,
  readBlock,
  text,
  textMap,
  texts,
  unsupported,
} from './values.js';

const tlsTable: KeyTable<TlsOptions> = {
  ...keys<TlsOptions>({
    cert_file: (tls, value, key) => {
      tls.certFile = text(value, key);
    },
    key_file: (tls, value, key) => {
      tls.keyFile = text(value, key);
    },
    ca_file: (tls, value, key) => {
      tls.caFile = text(value, key);
    },
    verify: (tls, value, key) => {
      tls.verify = flag(value, key);
    },
  }),
  ...unsupported<TlsOptions>(
    'insecure verify_and_map verify_cert_and_check_known_urls cipher_suites curve_preferences pinned_certs cert_store certs certificates min_version handshake_first timeout connection_rate_limit ocsp_peer',
  ),
};

const websocketTable: KeyTable<WebSocketOptions> = {
  ...keys<WebSocketOptions>({
    listen: (websocket, value, key) => {
      const { host, port: at } = address(value, key);
      websocket.host = host ?? websocket.host;
      websocket.port = at;
    },
    port: (websocket, value, key) => {
      websocket.port = port(value, key);
    },
    'host|net': (websocket, value, key) => {
      websocket.host = text(value, key);
    },
    advertise: (websocket, value, key) => {
      websocket.advertise = text(value, key);
    },
    no_tls: (_, value, key) => {
      flag(value, key);
    },
    tls: (websocket, value, key) => {
      websocket.tls = readBlock(map(value, key), tlsTable, { certFile: '', keyFile: '', caFile: null, verify: false });
    },
    same_origin: (websocket, value, key) => {
      websocket.sameOrigin = flag(value, key);
    },
    'allowed_origins|allowed_origin|allow_origins|allow_origin|origins|origin': (websocket, value, key) => {
      websocket.allowedOrigins = texts(value, key);
    },
    'compress|compression': (websocket, value, key) => {
      websocket.compression = flag(value, key);
    },
    handshake_timeout: (websocket, value, key) => {
      websocket.handshakeTimeoutMs = durationMs(value, key);
    },
    user_cookie: (websocket, value, key) => {
      websocket.userCookie = text(value, key);
    },
    pass_cookie: (websocket, value, key) => {
      websocket.passwordCookie = text(value, key);
    },
    token_cookie: (websocket, value, key) => {
      websocket.tokenCookie = text(value, key);
    },
    headers: (websocket, value, key) => {
      websocket.headers = textMap(value, key);
    },
  }),
  ...unsupported<WebSocketOptions>('jwt_cookie no_auth_user authorization authentication ping_interval'),
};

export function readWebSocket(options: Options, value: ConfigValue, key: string): void {
  options.websocket = readBlock(map(value, key), websocketTable, {
    host: '0.0.0.0',
    port: 0,
    advertise: '',
    tls: null,
    sameOrigin: false,
    allowedOrigins: [],
    compression: false,
    handshakeTimeoutMs: 2_000,
    userCookie: '',
    passwordCookie: '',
    tokenCookie: '',
    headers: {},
  });
}

const listenKeys = keys<PeerListenerOptions>({
  listen: (peer, value, key) => {
    const { host, port: at } = address(value, key);
    peer.host = host ?? peer.host;
    peer.port = at;
  },
  port: (peer, value, key) => {
    peer.port = port(value, key);
  },
  'host|net': (peer, value, key) => {
    peer.host = text(value, key);
  },
});

/** Keys of blocks whose feature is not there yet: checked by name, so that a typing error is found. */
const PEER_KEYS = {
  cluster:
    'name authorization routes tls cluster_advertise advertise no_advertise connect_retries connect_backoff permissions pool_size accounts compression ping_interval ping_max write_deadline write_timeout',
  leafnodes:
    'authorization remotes reconnect reconnect_delay reconnect_interval dial_timeout tls leafnode_advertise advertise no_advertise min_version minimum_version compression isolate_leafnode_interest isolate write_deadline write_timeout',
  gateway:
    'name authorization tls advertise connect_retries connect_backoff gateways reject_unknown reject_unknown_cluster write_deadline write_timeout',
  mqtt: 'tls authorization authentication no_auth_user ack_wait ackwait js_api_timeout api_timeout max_ack_pending max_pending max_inflight js_domain stream_replicas consumer_replicas consumer_memory_storage consumer_inactive_threshold consumer_auto_cleanup reject_qos2_publish downgrade_qos2_subscribe',
} as const;

const PEER_PORTS = { cluster: 6222, leafnodes: 7422, gateway: 7222, mqtt: 1883 } as const;

export function readPeer(kind: keyof typeof PEER_KEYS): (options: Options, value: ConfigValue, key: string) => void {
  const table = { ...accepted<PeerListenerOptions>(PEER_KEYS[kind]), ...listenKeys };
  return (options, value, key) => {
    options[kind] = readBlock(map(value, key), table, { host: '0.0.0.0', port: PEER_PORTS[kind] });
  };
}

const jetstreamTable: KeyTable<Options> = {
  ...accepted<Options>(
    'strict sync sync_interval max_memory_store max_mem_store max_mem max_file_store max_file domain key ek encryption_key prev_key prev_ek prev_encryption_key cipher extension_hint limits tpm unique_tag max_outstanding_catchup max_buffered_size max_buffered_msgs request_queue_limit info_queue_limit meta_compact meta_compact_size meta_compact_sync max_concurrent_io',
  ),
  ...keys<Options>({
    'enabled|enable': (options, value, key) => {
      options.jetstream = flag(value, key);
    },
    'disabled|disable': (options, value, key) => {
      options.jetstream = !flag(value, key);
    },
    'store|store_dir|storedir': (options, value, key) => {
      options.storeDir = text(value, key);
    },
  }),
};

export function readJetStream(options: Options, value: ConfigValue, key: string): void {
  if (value.kind === 'boolean') options.jetstream = value.value as boolean;
  else if (value.kind === 'string' && /^(enabled?|disabled?)$/i.test(value.value as string)) {
    options.jetstream = /^enable/i.test(value.value as string);
  } else {
    options.jetstream = true;
    readBlock(map(value, key), jetstreamTable, options);
  }
}

/** Attachments are read as plain values here; the host checks them, with the same schema as requests. */
const pluginsTable: KeyTable<Options> = keys<Options>({
  'enabled|enable': (options, value, key) => {
    options.plugins.enabled = flag(value, key);
  },
  modules: (options, value, key) => {
    options.plugins.modules = Object.entries(textMap(value, key)).map(([name, file]) => ({ name, file }));
  },
  attachments: (options, value, key) => {
    options.plugins.attachments = Array.from(map(value, key).entries, ([name, entry]) => {
      const fields = plain(map(entry.value, name)) as Omit<AttachmentDeclaration, 'name'>;
      return { ...fields, name };
    });
  },
});

export function readPlugins(options: Options, value: ConfigValue, key: string): void {
  readBlock(map(value, key), pluginsTable, options);
}
