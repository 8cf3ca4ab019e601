import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/base/failure.js';
import { type ArgumentValues, parseArguments } from '../../src/config/arguments.js';
import { loadOptions } from '../../src/config/load-options.js';
import { defaultOptions, type Options } from '../../src/config/options.js';
import { selfSigned } from '../kit/certificate.js';

/** Loads a text as the configuration file `x.conf`. */
function load(text: string, values: ArgumentValues = {}, files: Record<string, string> = {}): Promise<Options> {
  const all: Record<string, string> = { 'x.conf': text, ...files };
  return loadOptions({
    arguments: { values: { config: 'x.conf', ...values }, words: [] },
    env: { TOKEN: 's3cr3t' },
    readFile: (path) => {
      if (all[path] === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
      return all[path];
    },
  });
}

describe('the top level', () => {
  const cases: [string, Partial<Options>][] = [
    ['port: 5000', { port: 5000 }],
    ['busy_poll: 100us', { busyPollMs: 0.1 }],
    ['busy_poll: 0', { busyPollMs: 0 }],
    ['edge: true\nbusy_poll: 50us', { edge: true, busyPollMs: 0.05, pendingBytesMax: 2 ** 23 }],
    ['edge: true', { edge: true, busyPollMs: 0, pendingBytesMax: 2 ** 23 }],
    ['edge: true\nmax_pending: 64mb', { edge: true, busyPollMs: 0, pendingBytesMax: 2 ** 26 }],
    [
      'edge: true\nmax_payload: 16mb',
      { edge: true, busyPollMs: 0, payloadBytesMax: 2 ** 24, pendingBytesMax: 2 ** 24 },
    ],
    ['port: -1', { port: 0 }],
    ['port: 0', { port: 4222 }],
    ['listen: "127.0.0.1:5001"', { host: '127.0.0.1', port: 5001 }],
    ['listen: 5002', { host: '0.0.0.0', port: 5002 }],
    ['listen: "[::1]:-1"', { host: '::1', port: 0 }],
    ['net: localhost', { host: 'localhost' }],
    ['PORT: 5000', { port: 5000 }],
    ['max_payload: 2mb', { payloadBytesMax: 2 ** 21 }],
    ['max_payload: 0', { payloadBytesMax: 2 ** 20 }],
    ['max_connections: 0', { connectionsMax: -1 }],
    ['max_conn: -1', { connectionsMax: -1 }],
    ['max_subs: -1', { subscriptionsMax: 0 }],
    ['ping_interval: "1m30s"', { pingIntervalMs: 90_000 }],
    ['ping_interval: 20', { pingIntervalMs: 20_000 }],
    ['write_deadline: "1.5s"', { writeDeadlineMs: 1_500 }],
    ['lame_duck_duration: "1m"\nlame_duck_grace_period: "5s"', { lameDuckDurationMs: 60_000, lameDuckGraceMs: 5_000 }],
    ['http: "127.0.0.1:8222"', { monitoring: { host: '127.0.0.1', port: 8222, basePath: '' } }],
    ['http_port: -1\nhttp_base_path: /nats', { monitoring: { host: '', port: 0, basePath: '/nats' } }],
    ['http_base_path: /nats', { monitoring: { host: '', port: null, basePath: '/nats' } }],
    ['server_tags: [a, b]', { tags: ['a', 'b'] }],
    ['server_metadata { a: b }', { metadata: { a: 'b' } }],
    ['no_header_support: true', { headers: false }],
    ['jetstream: enabled', { jetstream: true }],
    [
      'jetstream { store_dir: /x, max_mem: 1G, max_file: "10G", sync: 10s, domain: d, strict: false }',
      {
        ...{ jetstream: true, storeDir: '/x' },
        streams: {
          ...{ ...defaultOptions().streams, memoryBytesMax: 1_000_000_000, storeBytesMax: 10 * 1024 ** 3 },
          ...{ sync: 10_000, domain: 'd', strict: false },
        },
      },
    ],
    [
      'jetstream { limits { max_ack_pending: 5, max_request_batch: 6, duplicate_window: "1m" } }',
      {
        jetstream: true,
        streams: {
          ...{ ...defaultOptions().streams, ackPendingMax: 5, requestBatchMax: 6, duplicateWindowMaxNs: 60e9 },
        },
      },
    ],
    ['jetstream { enabled: false }', { jetstream: false }],
    ['P: 5005\nport: $P', { port: 5005 }],
    ['authorization { token: $TOKEN }', { authorization: { users: [], token: 's3cr3t' } }],
    ['syslog: false\ntrace_headers: false', {}],
  ];
  for (const [text, expected] of cases) {
    it(JSON.stringify(text), async () => {
      const { configFile, configDigest, warnings, ...options } = await load(text);
      expect(configFile).toBe('x.conf');
      expect(configDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
      const { configFile: _, configDigest: __, warnings: ___, ...defaults } = defaultOptions();
      expect(options).toEqual({ ...defaults, ...expected });
    });
  }

  it('complains about seconds where a duration is wanted, as nats-server does, and takes them', async () => {
    const { warnings } = await load('port: -1\nping_interval: 20');
    expect(warnings).toEqual([
      'x.conf:2:16: invalid use of field "ping_interval": ping_interval should be converted to a duration',
    ]);
  });

  it('says which settings there is no counterpart for', async () => {
    const { notices } = await load('no_sublist_cache: true');
    expect(notices).toEqual(['x.conf:1:19: "no_sublist_cache" has no effect in this server']);
  });
});

describe('who may come in', () => {
  it('users with permissions, and what goes for all of them', async () => {
    const { authorization, authTimeoutMs } = await load(`
      authorization {
        timeout: 0.5
        default_permissions { publish: "all.>" }
        users = [
          { user: a, password: b }
          { user: c, pass: 123, permissions {
              publish { allow: [x, "y.*"], deny: z }
              subscribe: "q.* workers"
              allow_responses: { max: 5, ttl: "-1s" }
          } }
        ]
      }
      no_auth_user: a`);
    expect(authTimeoutMs).toBe(500);
    expect(authorization).toEqual({
      noAuthUser: 'a',
      users: [
        { name: 'a', password: 'b', permissions: { publish: { allow: ['all.>'] } } },
        {
          name: 'c',
          password: '123',
          permissions: {
            publish: { allow: ['x', 'y.*'], deny: ['z'] },
            subscribe: { allow: ['q.* workers'] },
            responses: { max: 5, expiresMs: -1000 },
          },
        },
      ],
    });
  });

  it('the command line takes the place of the file', async () => {
    const file = 'authorization { users = [{ user: a, password: b }] }';
    expect((await load(file, { user: 'c', pass: 'd' })).authorization).toEqual({
      users: [{ name: 'c', password: 'd' }],
    });
    expect((await load(file, { user: 'c', auth: 't' })).authorization).toEqual({ users: [], token: 't' });
    expect((await load(file, { pass: 'd' })).authorization.users).toHaveLength(1);
  });
});

describe('websocket', () => {
  it('reads its keys', async () => {
    const text = `websocket {
      listen: "127.0.0.1:-1", no_tls: true, same_origin: true, allowed_origins: ["https://a.example", "http://b:8080"]
      compression: on, handshake_timeout: "3s", user_cookie: u, pass_cookie: p, token_cookie: t
      advertise: "ws.example:443", headers { X-One: "1", X-Two: b }, ping_interval: "30s"
      authorization { token: secret, timeout: 4 }
    }`;
    expect((await load(text)).websocket).toEqual({
      host: '127.0.0.1',
      port: 0,
      advertise: 'ws.example:443',
      tls: null,
      sameOrigin: true,
      allowedOrigins: ['https://a.example', 'http://b:8080'],
      compression: true,
      handshakeTimeoutMs: 3_000,
      jwtCookie: '',
      userCookie: 'u',
      passwordCookie: 'p',
      tokenCookie: 't',
      authorization: { users: [], token: 'secret' },
      noAuthUser: '',
      authTimeoutMs: 4_000,
      headers: { 'X-One': '1', 'X-Two': 'b' },
      pingIntervalMs: 30_000,
    });
  });

  it('reads certificates with the configuration', async () => {
    const { cert, key } = selfSigned('weir.test');
    const files = { 'c.pem': cert, 'k.pem': key, 'ca.pem': cert };
    const text =
      'websocket { port: 443, tls { cert_file: c.pem, key_file: k.pem, ca_file: ca.pem, verify: true, min_version: 1.3 } }';
    expect((await load(text, {}, files)).websocket?.tls).toMatchObject({
      certificates: [{ cert, key }],
      ca: cert,
      verify: true,
      minVersion: 'TLSv1.3',
    });
  });

  it('without a port is none', async () => {
    expect((await load('websocket { no_tls: true }')).websocket).toBeNull();
  });

  it('may take a user of its own for who says nothing', async () => {
    const { websocket } = await load(`
      websocket { port: -1, no_tls: true, no_auth_user: a }
      authorization { users = [{ user: a, password: b }, { user: c, password: d }] }`);
    expect(websocket?.authorization).toEqual({
      noAuthUser: 'a',
      users: [
        { name: 'a', password: 'b' },
        { name: 'c', password: 'd' },
      ],
    });
  });
});

describe('blocks of features that are not there yet', () => {
  it('are read in full, and their ports kept', async () => {
    const options = await load(`
      cluster {
        name: C, listen: "127.0.0.1:-1", routes = ["nats-route://a:6222"], pool_size: -1, compression: { mode: s2_auto, rtt_thresholds: ["10ms", "1s"] }
        authorization { user: r, password: s, timeout: 1 }, connect_backoff: true, tls { cert_file: x, key_file: y, pinned_certs: [a] }
        permissions { import: ">", export: ">" }, accounts: [a], write_timeout: retry
      }
      leafnodes { port: 7422, remotes = [{ urls: ["nats://a:7422"], credentials: ./x.creds, jetstream_cluster_migrate: true, hub: false }] }
      gateway { name: G, port: 7222, gateways = [{ name: H, urls: ["nats://h:7222"] }], reject_unknown: true }
      mqtt { port: 1883, ack_wait: "30s", max_ack_pending: 100, authorization { user: u, password: p } }`);
    expect(options.cluster).toEqual({ name: 'C', host: '127.0.0.1', port: 0 });
    expect(options.leafnodes).toEqual({ name: '', host: '0.0.0.0', port: 7422 });
    expect(options.gateway).toEqual({ name: 'G', host: '0.0.0.0', port: 7222 });
    expect(options.mqtt).toEqual({ name: '', host: '0.0.0.0', port: 1883 });
  });

  it('without a port open none', async () => {
    expect((await load('leafnodes { remotes = [{ url: "nats://a:7422" }] }')).leafnodes?.port).toBeNull();
  });
});

describe('plugins', () => {
  it('files are beside the configuration; attachments are checked like requests', async () => {
    const { plugins } = await load(`plugins {
      modules { keep: ./keep.wasm, other: /abs/other.wasm }
      attachments { one { plugin: keep, subject: "a.>", config { min: 3 }, grants { emit: ["b.>"] } } }
    }`);
    expect(plugins.modules).toEqual([
      { name: 'keep', file: 'keep.wasm' },
      { name: 'other', file: '/abs/other.wasm' },
    ]);
    expect(plugins.attachments).toEqual([
      { name: 'one', plugin: 'keep', subject: 'a.>', config: { min: 3 }, grants: { emit: ['b.>'] } },
    ]);
  });
});

describe('mistakes have their place', () => {
  const cases: [string, string][] = [
    ['port: -1\n foo: 3', 'x.conf:2:2: unknown field "foo"'],
    ['constructor: 1', 'x.conf:1:1: unknown field "constructor"'],
    ['__proto__: 1', 'x.conf:1:1: unknown field "__proto__"'],
    ['port: abc', 'x.conf:1:7: "port" is "abc", expected a whole number from -1 to 65535'],
    ['port: 70000', '"port" is 70000, expected a whole number'],
    ['listen: "a:b"', '"listen" is "a:b", expected "host:port" or a port'],
    ['debug: 1', '"debug" is 1, expected true or false'],
    ['ping_interval: "2x"', '"ping_interval" is "2x", expected a duration'],
    ['max_payload: 65mb', 'max_payload (68157440) cannot be higher than max_pending (67108864)'],
    ['server_name: "a b"', 'server name cannot contain spaces'],
    ['lame_duck_duration: "10s"', 'invalid lame_duck_duration of 10s, minimum is 30 seconds'],
    ['lame_duck_grace_period: "-1s"', 'invalid lame_duck_grace_period, needs to be positive'],
    [
      'lame_duck_grace_period: "3m"',
      'lame duck grace period (180s) should be strictly lower than lame duck duration (120s)',
    ],
    ['tls { cert_file: x }', "x.conf:1:5: missing 'key_file' in TLS configuration"],
    ['accounts { $G {} }', '"$G" is a Reserved Account'],
    ['syslog: true', '"syslog" is not supported yet by this server'],
    ['no_auth_user: x', 'no_auth_user: "x" present, but users/nkeys are not defined'],
    ['no_auth_user: x\nauthorization { users = [{user: a}] }', 'no_auth_user: "x" not present as user or nkey'],
    ['authorization { user: a, token: b }', 'x.conf:1:15: Cannot have a user/pass and token'],
    ['authorization { user: a, users = [{user: b}] }', 'Can not have a single user/pass and a users array'],
    ['authorization { token: a, users = [{user: b}] }', 'Can not have a token and a users array'],
    ['authorization { users = [{user: a}, {user: a}] }', 'Duplicate user "a" detected'],
    ['authorization { users = [{password: a}] }', 'x.conf:1:26: User entry requires a user'],
    ['authorization { users = [{nkey: U}] }', 'Not a valid public nkey for a user'],
    ['authorization { users = [{user: a, permissions {publish: "a..b"}}] }', 'subject "a..b" is not a valid subject'],
    ['websocket { port: 80 }', 'x.conf:1:11: websocket requires TLS configuration'],
    [
      'websocket { port: 80, tls { cert_file: nope, key_file: nope } }',
      'error parsing X509 certificate/key pair: open nope: ',
    ],
    ['websocket { port: 80, no_tls: true, jwt_cookie: c }', 'JWT authentication via cookie'],
    ['websocket { port: 80, no_tls: true, origins: "ftp://x" }', 'unable to parse allowed origin "ftp://x"'],
    ['websocket { port: 80, no_tls: true, headers { Upgrade: x } }', 'websocket: invalid header "Upgrade" not allowed'],
    ['websocket { port: 80, no_tls: true, headers { A: "x\\r\\nB: y" } }', 'expected printable Latin-1 characters'],
    [
      'websocket { port: 80, no_tls: true, authorization { user: a } }\nauthorization { users = [{user: b}] }',
      'websocket authentication username not compatible with presence of users/nkeys',
    ],
    ['cluster { port: 1, foo: 2 }', 'x.conf:1:20: unknown field "foo"'],
    ['cluster { port: x }', '"port" is "x"'],
    ['cluster { compression: gzip }', '"compression" is "gzip", expected'],
    ['cluster { routes: ["a b"] }', '"routes" is "a b", expected a URL'],
    ['leafnodes { remotes = [{ urls: ["nats://a"], hubb: true }] }', 'unknown field "hubb"'],
    ['gateway { port: 1 }', 'gateway has no name'],
    ['gateway { name: G }', 'gateway "G" has no port specified (select -1 for random port)'],
    ['mqtt { max_ack_pending: 70000 }', 'expected a whole number from 0 to 65535'],
    ['jetstream: maybe', '"jetstream" is "maybe", expected "enabled"'],
    ['jetstream { max_mem: x }', '"max_mem" is "x", expected a size'],
    ['jetstream { limits { foo: 1 } }', 'unknown field "foo"'],
    ['plugins { attachments { one { plugin: p } } }', 'x.conf:1:25: attachment "one": "subject" is missing'],
    ['plugins { attachments { one { plugin: p, subject: a, phase: never } } }', 'attachment "one": phase'],
    ['client_advertise: "a b"', 'invalid ClientAdvertise value of a b'],
  ];
  for (const [text, message] of cases) {
    it(JSON.stringify(text), async () => {
      const error = await load(text).then(
        () => null,
        (thrown: Failure) => thrown,
      );
      expect(error).toBeInstanceOf(Failure);
      expect(error?.message).toContain(message);
    });
  }

  it('a file that is not there', async () => {
    await expect(load('', { config: 'nofile.conf' })).rejects.toThrow('open nofile.conf: no such file or directory');
  });
});

const words = fc.constantFrom(
  ...[
    'port',
    'cluster',
    'websocket',
    'authorization',
    'users',
    'user',
    'tls',
    'jetstream',
    'limits',
    'plugins',
    'listen',
  ],
  ...[
    'attachments',
    'modules',
    'remotes',
    'mqtt',
    'gateway',
    'permissions',
    'publish',
    'headers',
    'server_tags',
    'http',
  ],
  ...['1', '-1', 'true', '"a b"', '[', ']', '{', '}', '=', ':', '\n', ' ', ',', '10s', '$TOKEN', 'a', 'include', '#'],
);

it('any file gives options or a failure that says where', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(words, { maxLength: 30 }), async (parts) => {
      try {
        await load(parts.join(''));
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
      }
    }),
    { numRuns: 1000 },
  );
});

it('the command line beats the file', async () => {
  const parsed = parseArguments(
    '-p -1 -a ::1 -m 8000 -n n -P /pid -l /log -DV --max_traced_msg_len 9 -js=false'.split(' '),
  );
  if ('error' in parsed) throw new Error(parsed.error);
  const file = 'port: 1\nhost: h\nhttp: "m:2"\nserver_name: s\npid_file: p\nlog_file: l\njetstream: true';
  const options = await load(file, parsed.values);
  expect(options).toMatchObject({ port: 0, host: '::1', serverName: 'n', pidFile: '/pid', jetstream: false });
  expect(options.monitoring).toEqual({ host: 'm', port: 8000, basePath: '' });
  expect(options.log).toMatchObject({ file: '/log', debug: true, trace: true, tracedBytesMax: 9 });
});
