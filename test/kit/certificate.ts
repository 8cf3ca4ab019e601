import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

/** The shortest form: Go takes no other. */
function lengthBytes(length: number): number[] {
  if (length < 128) return [length];
  return length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
}

/** One value of ASN.1: tag, length, content. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag, ...lengthBytes(content.length)), content]);
}

const sequence = (...parts: Uint8Array[]) => der(0x30, ...parts);
const objectId = (...bytes: number[]) => der(0x06, Buffer.from(bytes));
const text = (tag: number, value: string) => der(tag, Buffer.from(value, 'latin1'));
const utcTime = (date: Date) => text(0x17, `${date.toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`);

const ECDSA_SHA256 = objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);
const ALTERNATIVE_NAMES = objectId(0x55, 0x1d, 0x11);
const BASIC_CONSTRAINTS = objectId(0x55, 0x1d, 0x13);
const DAY_MS = 86_400_000;

/** Parts of a subject, by the last bytes of their object ids; DC is one of another family. */
const PARTS: Record<string, Buffer> = {
  CN: objectId(0x55, 0x04, 0x03),
  C: objectId(0x55, 0x04, 0x06),
  O: objectId(0x55, 0x04, 0x0a),
  OU: objectId(0x55, 0x04, 0x0b),
  DC: objectId(0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19),
};

/** A certificate and its key as PEM texts. */
export interface Certificate {
  cert: string;
  key: string;
}

/** What is to stand in a certificate. */
export interface CertificateRequest {
  /** Parts such as `CN=ann`, in order. */
  subject: readonly string[];
  dns?: readonly string[];
  emails?: readonly string[];
  uris?: readonly string[];
  expired?: boolean;
}

interface Issuer {
  name: Buffer;
  key: KeyObject;
}

function nameOf(subject: readonly string[]): Buffer {
  return sequence(
    ...subject.map((part) => {
      const [kind, value] = part.split('=', 2);
      return der(0x31, sequence(PARTS[kind], text(kind === 'DC' ? 0x16 : 0x0c, value)));
    }),
  );
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, der(0x04, value));
}

function make(
  request: CertificateRequest,
  issuer: Issuer | null,
  isAuthority = false,
): Certificate & { issuer: Issuer } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { subject, dns = [], emails = [], uris = [], expired = false } = request;
  const name = nameOf(subject);
  const names = sequence(
    ...dns.map((value) => (value === '127.0.0.1' ? der(0x87, Buffer.of(127, 0, 0, 1)) : text(0x82, value))),
    ...emails.map((value) => text(0x81, value)),
    ...uris.map((value) => text(0x86, value)),
  );
  const extensions = [
    ...(names.length > 2 ? [extension(ALTERNATIVE_NAMES, names)] : []),
    ...(isAuthority ? [extension(BASIC_CONSTRAINTS, sequence(der(0x01, Buffer.of(0xff))))] : []),
  ];
  const endsMs = Date.now() + (expired ? -1 : 1) * DAY_MS;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    sequence(ECDSA_SHA256),
    issuer?.name ?? name,
    sequence(utcTime(new Date(Date.now() - 2 * DAY_MS)), utcTime(new Date(endsMs))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : []),
  );
  const signature = createSign('sha256')
    .update(body)
    .sign(issuer?.key ?? privateKey);
  const certificate = sequence(body, sequence(ECDSA_SHA256), der(0x03, Buffer.of(0), signature));
  const lines = certificate.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    issuer: { name, key: privateKey },
  };
}

/** A new certificate for 127.0.0.1 and localhost that signs itself, as PEM texts. */
export function selfSigned(commonName: string): Certificate {
  const { cert, key } = make({ subject: [`CN=${commonName}`], dns: ['localhost', '127.0.0.1'] }, null);
  return { cert, key };
}

/** An authority that signs certificates. */
export interface Authority {
  /** Its own certificate. */
  cert: string;
  issue(request: CertificateRequest): Certificate;
}

export function newAuthority(): Authority {
  const { cert, issuer } = make({ subject: ['O=Weir tests', 'CN=authority'] }, null, true);
  return {
    cert,
    issue: (request) => {
      const issued = make(request, issuer);
      return { cert: issued.cert, key: issued.key };
    },
  };
}
