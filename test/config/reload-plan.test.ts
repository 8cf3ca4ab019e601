import { describe, expect, it } from 'vitest';
import { defaultOptions, type Options } from '../../src/config/options.js';
import { planReload } from '../../src/config/reload-plan.js';

const websocket: NonNullable<Options['websocket']> = {
  host: '0.0.0.0',
  port: 443,
  advertise: '',
  tls: {
    certificates: [{ cert: 'CERT', key: 'KEY' }],
    ca: '',
    verify: false,
    minVersion: 'TLSv1.2',
    ciphers: '',
    curves: '',
    pinnedKeys: [],
    timeoutMs: 2000,
    map: false,
    handshakeFirst: false,
    fallbackMs: 0,
    connectionRateMax: 0,
  },
  sameOrigin: false,
  allowedOrigins: [],
  compression: false,
  handshakeTimeoutMs: 2000,
  jwtCookie: '',
  userCookie: '',
  passwordCookie: '',
  tokenCookie: '',
  authorization: { users: [{ name: 'a', password: 'hush' }] },
  noAuthUser: '',
  authTimeoutMs: null,
  headers: {},
  pingIntervalMs: null,
};

function options(changes: Partial<Options> = {}): Options {
  return { ...defaultOptions(), websocket, ...changes };
}

describe('a plan', () => {
  it('of the same options is empty', () => {
    expect(planReload(options(), options())).toEqual({ changed: new Set(), said: [] });
  });

  it('names what changes and what the log says', () => {
    const before = options();
    const next = options({
      payloadBytesMax: 5,
      pingIntervalMs: 90_000,
      noProducerStall: true,
      authorization: { users: [{ name: 'u', password: 'hush' }] },
      log: { ...before.log, debug: true, file: '/x' },
      configDigest: 'sha256:x',
    });
    const plan = planReload(before, next);
    expect([...plan.changed].sort()).toEqual(
      [
        'authorization',
        'configDigest',
        'log.debug',
        'log.file',
        'noProducerStall',
        'payloadBytesMax',
        'pingIntervalMs',
      ].sort(),
    );
    expect(plan.said).toEqual([
      'max_payload = 5',
      'ping_interval = 90s',
      'fast producers will not be stalled',
      'authorization users',
      'log_file = /x',
      'debug = true',
    ]);
  });

  it('takes another certificate and other users for WebSocket clients', () => {
    const tls = { ...websocket.tls!, cert: 'NEWER' };
    const plan = planReload(options(), options({ websocket: { ...websocket, tls, authorization: { users: [] } } }));
    expect([...plan.changed]).toEqual(['websocket.tls', 'websocket.authorization']);
  });
});

describe('what needs a restart is refused by name', () => {
  const cases: [string, Partial<Options>, string][] = [
    ['a port', { port: 1 }, 'config reload not supported for Port: old=4222, new=1'],
    [
      'who is taken for those who say nothing',
      { authorization: { users: [{ name: 'a', password: 'hush' }], noAuthUser: 'a' } },
      'config reload not supported for NoAuthUser: old=, new=a',
    ],
    [
      'the same by WebSocket',
      { websocket: { ...websocket, noAuthUser: 'a' } },
      'config reload not supported for Websocket.NoAuthUser: old=, new=a',
    ],
    ['a name', { serverName: 'n' }, 'config reload not supported for ServerName: old=, new=n'],
    ['a cluster', { cluster: { name: '', host: 'h', port: 1 } }, 'config reload not supported for Cluster: old=null'],
    [
      'compression',
      { websocket: { ...websocket, compression: true } },
      'for Websocket.Compression: old=false, new=true',
    ],
    ['TLS that goes', { websocket: { ...websocket, tls: null } }, 'for Websocket.TLSConfig'],
    ['a websocket port that goes', { websocket: null }, 'for Websocket: old={'],
  ];
  for (const [what, changes, message] of cases) {
    it(what, () => expect(() => planReload(options(), options(changes))).toThrow(message));
  }

  it('without telling secrets', () => {
    let text = '';
    try {
      planReload(options(), options({ websocket: null }));
    } catch (error) {
      text = String(error);
    }
    expect(text).toContain('[hidden]');
    expect(text).not.toMatch(/hush|CERT|KEY/);
  });
});
