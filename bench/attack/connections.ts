import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, written } from './attack.js';
import { certificateFiles } from './certificates.js';
import { endings, inTurns, type Raw } from './raw.js';

const TOKEN = 'authorization { token: "s3cret", timeout: 2 }\n';
const CONNECT = 'CONNECT {"verbose":false,"pedantic":false}\r\n';
/** Dribbles are sent so often. */
const DRIBBLE_MS = 100;

/** Sends one byte of `text` to each, every so often, until all have ended or the text has. */
async function dribble(raws: readonly Raw[], text: string): Promise<void> {
  for (const letter of text) {
    if (raws.every(({ ended }) => ended)) return;
    for (const raw of raws) void raw.send(letter);
    await sleep(DRIBBLE_MS);
  }
}

const slowConnect: Attack = {
  id: 'slow-connect',
  title: 'slowloris: CONNECT, a byte every 100 ms',
  config: () => TOKEN,
  credentials: () => ({ auth_token: 's3cret' }),
  async run(field) {
    const raws = field.crowd(field.amount(2_000));
    await dribble(raws, CONNECT.repeat(3));
    return {
      amount: `${written(raws.length)} connections`,
      ending: endings(await Promise.all(raws.map((raw) => raw.end()))),
    };
  },
};

const slowPublish: Attack = {
  id: 'slow-publish',
  title: 'slowloris: PUB of 1 MB, begun and never finished',
  config: () => 'ping_interval: "1s"\nping_max: 1\n',
  async run(field) {
    const raws = field.crowd(field.amount(1_000));
    await Promise.all(raws.map((raw) => raw.send(`${CONNECT}PUB slow 1048576\r\n${'x'.repeat(10_000)}`)));
    await dribble(raws, 'x'.repeat(10));
    const ended = await Promise.all(raws.map((raw) => raw.end()));
    return { amount: `${written(raws.length)} connections, 10 KB of each payload`, ending: endings(ended) };
  },
};

const halfOpen: Attack = {
  id: 'half-open',
  title: 'half-open: connections whose peer never answers again',
  config: () => 'ping_interval: "1s"\nping_max: 1\n',
  async run(field) {
    const raws = field.crowd(field.amount(2_000));
    for (const raw of raws) raw.send(CONNECT);
    const ended = await Promise.all(raws.map((raw) => raw.end()));
    return { amount: `${written(raws.length)} connections`, ending: endings(ended) };
  },
};

const connectionFlood: Attack = {
  id: 'connection-flood',
  title: 'connections opened and closed as fast as it goes',
  bounds: { keptBytes: 48 * 1024 * 1024 },
  async run(field) {
    const count = field.amount(20_000);
    let greeted = 0;
    await inTurns(count, 100, async () => {
      const raw = field.raw();
      if (await raw.saw('INFO')) greeted++;
      raw.close();
    });
    return { amount: `${written(count)} connections`, ending: `${written(greeted)} × let in` };
  },
};

const houseFull: Attack = {
  id: 'house-full',
  title: 'more connections than `max_connections`',
  config: () => 'max_connections: 500\n',
  closed: true,
  bounds: { stallMs: 300 },
  async run(field) {
    const count = field.amount(5_000, 600);
    const told: string[] = [];
    const raws: Raw[] = [];
    await inTurns(count, 200, async () => {
      const raw = field.raw();
      raws.push(raw);
      await raw.saw('INFO');
      void raw.send(CONNECT);
    });
    await field.until(() => raws.filter(({ ended }) => ended).length >= count - 500, 'the others to be sent away');
    for (const raw of raws) if (raw.ended) told.push(raw.errorText);
    return { amount: `${written(count)} connections`, ending: `${raws.length - told.length} stay, ${endings(told)}` };
  },
};

const TLS = (folder: string, more = '') => {
  const { cert, key } = certificateFiles(folder);
  return `allow_non_tls: true\ntls { cert_file: "${cert}", key_file: "${key}", timeout: 1${more} }\n`;
};
/** A record of a handshake of 512 bytes, of which more never comes. */
const HALF_A_HELLO = Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(100)]);

const tlsUnfinished: Attack = {
  id: 'tls-unfinished',
  title: 'TLS handshakes that are never finished',
  config: (folder) => TLS(folder),
  async run(field) {
    const raws = field.crowd(field.amount(2_000));
    for (const raw of raws) void raw.saw('INFO').then(() => raw.send(HALF_A_HELLO));
    await Promise.all(raws.map((raw) => raw.end()));
    const timeouts = field.log.split('TLS handshake error: tls: handshake timeout').length - 1;
    return {
      amount: `${written(raws.length)} connections`,
      ending: `all were closed after \`tls { timeout }\`${timeouts > 0 ? ', which the log says' : ''}`,
    };
  },
};

const tlsFlood: Attack = {
  id: 'tls-flood',
  title: 'whole TLS handshakes as fast as it goes, `connection_rate_limit: 50`',
  config: (folder) => TLS(folder, ', connection_rate_limit: 50'),
  async run(field) {
    const { connect } = await import('node:tls');
    const count = field.amount(3_000);
    let secured = 0;
    let refused = 0;
    await inTurns(count, 50, async () => {
      const raw = field.raw();
      await raw.saw('INFO');
      await new Promise<void>((resolve) => {
        const socket = connect({ socket: raw.socket, rejectUnauthorized: false }, () => {
          secured++;
          socket.destroy();
        });
        socket.on('error', () => refused++);
        socket.on('close', () => resolve());
      });
    });
    return {
      amount: `${written(count)} handshakes`,
      ending: `${written(secured)} went through, ${written(refused)} were refused: Connection throttling is active`,
    };
  },
};

/** Those who come, and never get as far as to say anything. */
export const connectionAttacks: readonly Attack[] = [
  slowConnect,
  slowPublish,
  halfOpen,
  connectionFlood,
  houseFull,
  tlsUnfinished,
  tlsFlood,
];
