import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { decodeAccountClaims } from '../../src/auth/account-claims.js';
import { JwtMistake } from '../../src/auth/jwt.js';
import { decodeKey, encodeKey } from '../../src/auth/nkey.js';
import { decodeUserClaims } from '../../src/auth/user-claims.js';
import { Failure } from '../../src/base/failure.js';
import { DEFAULT_CONNECT, readConnect } from '../../src/client/connect-options.js';
import { loadOptions } from '../../src/config/load-options.js';
import { parseManifest } from '../../src/host/manifest-schema.js';
import { readAttachment, readSwap } from '../../src/host/requests.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { ArchiveMistake, ArchiveReader, archiveHead } from '../../src/stream/archive.js';
import { createConsumerShape } from '../../src/stream/consumer-config.js';
import { S2Mistake, S2Reader, s2Chunks, s2Head } from '../../src/stream/s2.js';
import { readJson, ShapeMistake } from '../../src/stream/shape.js';
import { createStreamShape } from '../../src/stream/stream-config.js';
import type { Operations } from '../../src/wire/nats/operations.js';
import { Parser } from '../../src/wire/nats/parser.js';

/** Something that reads what strangers wrote. */
export interface Target {
  id: string;
  /** For the table. */
  title: string;
  /** What is good, and is changed. */
  seeds(): Uint8Array[];
  /** Takes any bytes; throws nothing but what says that they are refused. Answers whether they were taken. */
  run(bytes: Uint8Array): boolean | Promise<boolean>;
}

const utf8 = (texts: readonly string[]) => texts.map((text) => Buffer.from(text));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

/** True, or false when it is refused as it should be: by one of these. */
function taken(run: () => unknown, ...refusals: readonly (abstract new (...args: never[]) => Error)[]): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (refusals.some((kind) => error instanceof kind)) return false;
    throw error;
  }
}

function parse(chunks: readonly Uint8Array[]): string {
  let heard = '';
  const note = (word: string) => {
    heard += word;
  };
  const operations: Operations = {
    onPublish: ({ subjectStart, subjectEnd, payloadStart, payloadEnd }) =>
      note(`p${subjectEnd - subjectStart},${payloadEnd - payloadStart};`),
    onSubscribe: (_bytes, _tokens, withQueue) => note(`s${withQueue};`),
    onUnsubscribe: (_bytes, _start, _end, max) => note(`u${max};`),
    onConnect: (_bytes, start, end) => note(`c${end - start};`),
    onPing: () => note('ping;'),
    onPong: () => note('pong;'),
    onError: () => note('error;'),
    onViolation: (violation) => note(`v${violation};`),
  };
  const parser = new Parser(operations, { controlLineBytesMax: 512, payloadBytesMax: 4_096, headers: true });
  for (const chunk of chunks) parser.parse(Uint8Array.from(chunk), 0, chunk.length);
  return heard;
}

const parser: Target = {
  id: 'parser',
  title: 'the protocol parser: whole, and cut in two',
  seeds: () =>
    utf8([
      'CONNECT {"verbose":false}\r\nSUB foo.* 1\r\nsub bar q 2\r\nPUB foo.a 5\r\nhello\r\nPUB foo.b reply 0\r\n\r\nPING\r\n',
      'HPUB h r 12 14\r\nNATS/1.0\r\n\r\nhi\r\nUNSUB 1 5\r\nUNSUB 2\r\n+OK\r\nPONG\r\n-ERR x\r\n',
    ]),
  run(bytes) {
    const whole = parse([bytes]);
    const at = bytes.length >> 1;
    const cut = parse([bytes.subarray(0, at), bytes.subarray(at)]);
    if (cut !== whole) throw new Error(`cut at ${at} it is read otherwise: ${cut} and ${whole}`);
    return !whole.includes('v');
  },
};

const connect: Target = {
  id: 'connect',
  title: 'CONNECT',
  seeds: () =>
    utf8(['{"verbose":false,"user":"ann","pass":"s3cret","protocol":1,"jwt":"a.b.c","sig":"x","headers":null}']),
  run: (bytes) => typeof readConnect(text(bytes), DEFAULT_CONNECT) !== 'string',
};

const configuration: Target = {
  id: 'configuration',
  title: 'the configuration: grammar, and every key',
  seeds: () =>
    utf8([
      'port: 4222\nmax_payload = 1mb # so\nauthorization { users: [{user: a, password: "b", permissions: {publish: ["x.>"], subscribe: {deny: y}}}], timeout: 2 }\n',
      'accounts { A { users [{user: u, password: p}], exports [{stream: "s.>"}, {service: q, accounts: [B]}] }, B { users [{user: v, password: w}], imports [{stream: {account: A, subject: "s.>"}, prefix: t}] } }\n',
      'X: "a"\nserver_name: $X\nwrite_deadline: "2s"\nmappings { "a.*": "b.$1" }\nwebsocket { port: -1, no_tls: true }\njetstream { max_mem: 1g, max_file: 1T }\n',
      'listen: "0.0.0.0:4222"\nlogtime: true\n// more\ntags: ["a", b]\nnested { deep { deeper [1, 2, {three: 3}] } }\nlong (\nblock\n)\n',
    ]),
  async run(bytes) {
    const readFile = () => text(bytes);
    const given = { values: { config: 'fuzz.conf' }, words: [] };
    return loadOptions({ arguments: given, env: {}, readFile }).then(
      () => true,
      (error) => {
        if (error instanceof Failure) return false;
        throw error;
      },
    );
  },
};

/** A key that is the same in each run. */
const SIGNER = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]),
  format: 'der',
  type: 'pkcs8',
});
const KEY = encodeKey('account', createPublicKey(SIGNER).export({ format: 'der', type: 'spki' }).subarray(-32));
const USER = encodeKey('user', Buffer.alloc(32, 3));
const HEADER = Buffer.from('{"typ":"JWT","alg":"ed25519-nkey"}').toString('base64url');

/** Signed in order, whatever it says: signatures are looked at first. */
function tokenOf(claims: Uint8Array): string {
  const signed = `${HEADER}.${Buffer.from(claims).toString('base64url')}`;
  return `${signed}.${sign(null, Buffer.from(signed), SIGNER).toString('base64url')}`;
}

const jwts: Target = {
  id: 'jwt',
  title: 'JWTs of users and accounts: claims that are signed, and tokens as they come',
  seeds: () =>
    utf8([
      `{"jti":"x","iat":1,"iss":"${KEY}","sub":"${USER}","nats":{"type":"user","version":2,"pub":{"allow":["a"]},"subs":-1,"times":[{"start":"08:00:00"}]}}`,
      `{"iss":"${KEY}","sub":"${KEY}","nats":{"type":"account","version":2,"limits":{"conn":-1},"exports":[{"subject":"a","type":"stream"}],"revocations":{"*":1}}}`,
    ]),
  run: (bytes) => {
    const read = (token: string) =>
      [decodeUserClaims, decodeAccountClaims].some((decode) => taken(() => decode(token), JwtMistake, Failure));
    return [tokenOf(bytes), text(bytes)].some(read);
  },
};

const nkeys: Target = {
  id: 'nkey',
  title: 'nkeys',
  seeds: () => utf8([KEY, encodeKey('user', new Uint8Array(32).fill(3))]),
  run: (bytes) => decodeKey('account', text(bytes)) !== null || decodeKey('user', text(bytes)) !== null,
};

const requests: Target = {
  id: 'requests',
  title: 'JSON of `$JS.API` and `$WEIR.API`, manifests',
  seeds: () =>
    utf8([
      '{"name":"A","subjects":["a.>"],"retention":"limits","max_age":0,"storage":"file","republish":{"src":"a","dest":"b"},"sources":[{"name":"B"}],"metadata":{"a":"b"}}',
      '{"stream_name":"A","config":{"durable_name":"d","ack_policy":"explicit","filter_subjects":["a","b"],"backoff":[1,2]},"action":"create"}',
      '{"plugin":"p","subject":"a.>","config":{"x":[1,{"y":null}]},"budget":{"fuel":1000},"grants":{"emit":["b"]}}',
      '{"name":"p","description":"d","config":{"type":"object","properties":{"x":{"type":"number"}}},"self_tests":[]}',
    ]),
  run(bytes) {
    const json = text(bytes);
    const tries = [
      () => readJson(json, createStreamShape, true),
      () => readJson(json, createConsumerShape, true),
      () => readAttachment('a', bytes),
      () => readSwap('a', bytes),
      () => parseManifest(json),
    ];
    return tries.filter((run) => taken(run, ShapeMistake, Failure)).length > 0;
  },
};

const archives: Target = {
  id: 'archives',
  title: 'snapshots: S2 streams, and archives in them',
  seeds: () => {
    const archive = Buffer.concat([
      archiveHead(),
      Buffer.from([10, 0, 0, 0, 2]),
      Buffer.from('state.json{}'),
      Buffer.alloc(5),
    ]);
    return [Buffer.concat([s2Head(), s2Chunks(archive)]), archive];
  },
  run(bytes) {
    const unpack = new S2Reader();
    const archive = new ArchiveReader();
    // An archive as it is, too: few changes leave a checksum right.
    const direct = taken(() => [...new ArchiveReader().push(bytes)], ArchiveMistake);
    return (
      taken(
        () => {
          for (const part of unpack.push(bytes)) for (const _ of archive.push(part));
        },
        S2Mistake,
        ArchiveMistake,
      ) || direct
    );
  },
};

const BUDGET = { ...DEFAULT_BUDGET, fuelPerMessage: 100_000, fuelForInit: 300_000 };
const FRAME = frameOf(
  Buffer.from('a.b'),
  Buffer.from('r'),
  Buffer.from('NATS/1.0\r\nA: b\r\n\r\n'),
  Buffer.from('{"value":23}'),
);

const modules: Target = {
  id: 'modules',
  title: 'WebAssembly: the bundled plugins, changed, prepared and run',
  seeds: () => {
    const folder = 'dist/plugins';
    const files = readdirSync(folder).filter((name) => name.endsWith('.wasm'));
    return files.map((name) => readFileSync(`${folder}/${name}`));
  },
  run(bytes) {
    return taken(() => {
      const made = Instance.create(prepareModule(bytes), BUDGET, '{"field":"value","above":3}');
      if (!(made instanceof Instance)) return;
      for (let i = 0; i < 3 && !made.poisoned; i++) made.call(FRAME, { wallMs: 1_700_000_000_000 });
      if (made.fuelUsed > BUDGET.fuelPerMessage) throw new Error(`it used ${made.fuelUsed} of its fuel`);
    }, Failure);
  },
};

/** All of them, in the table's order. */
export const targets: readonly Target[] = [parser, connect, configuration, jwts, nkeys, requests, archives, modules];
