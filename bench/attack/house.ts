import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, MB, written } from './attack.js';
import type { Field } from './field.js';
import { inTurns } from './raw.js';

/** Publishes requests without waiting for answers, then counts those. */
async function flood(field: Field, requests: readonly Uint8Array[], atATime = 50): Promise<number> {
  const [raw, answers] = await field.listener('_INBOX.api', 'MSG _INBOX.api');
  for (let at = 0; at < requests.length; at += atATime) await raw.send(Buffer.concat(requests.slice(at, at + atATime)));
  await raw.flush();
  // What takes time is answered later.
  for (let seen = -1; seen < answers(); await sleep(300)) seen = answers();
  return answers();
}

const request = (subject: string, payload: string | Uint8Array = '') =>
  Buffer.concat([
    Buffer.from(`PUB ${subject} _INBOX.api ${payload.length}\r\n`),
    Buffer.from(payload as string),
    Buffer.from('\r\n'),
  ]);

const pluginApi: Attack = {
  id: 'plugin-api',
  title: '`$WEIR.API`: requests of all kinds without waiting for answers',
  async run(field) {
    const subjects = [
      'PLUGIN.LIST',
      'ATTACHMENT.LIST',
      'PLUGIN.INFO.none',
      'ATTACHMENT.INFO.none',
      'PLUGIN.DELETE.none',
      'NONE',
    ];
    const count = field.amount(100_000);
    const requests = Array.from({ length: count }, (_, i) => request(`$WEIR.API.${subjects[i % subjects.length]}`));
    const answers = await flood(field, requests);
    return { amount: `${written(count)} requests`, ending: `${written(answers)} × answered` };
  },
};

const pluginUploads: Attack = {
  id: 'plugin-uploads',
  title:
    '`$WEIR.API`: uploads of 4 MB that are begun and never finished, modules that are none, one module again and again',
  bounds: { peakBytes: 400 * MB, keptBytes: 100 * MB },
  async run(field) {
    const wasm = readFileSync('dist/plugins/threshold.wasm');
    const digest = 'a'.repeat(64);
    const count = field.amount(400, 20);
    const requests = Array.from({ length: count }, (_, i) => {
      if (i % 4 === 0) return request(`$WEIR.API.PLUGIN.UPLOAD.u${i}`, `{"bytes":4194304,"sha256":"${digest}"}`);
      if (i % 4 === 1) return request(`$WEIR.API.PLUGIN.INSTALL.junk${i}`, Buffer.alloc(900_000, i));
      if (i % 4 === 2) return request(`$WEIR.API.PLUGIN.INSTALL.same${i % 16}`, wasm);
      return request(`$WEIR.API.ATTACHMENT.CREATE.a${i}`, `{"plugin":"same2","subject":"attacked.${i}.>"}`);
    });
    const answers = await flood(field, requests, 4);
    return { amount: `${written(count)} requests`, ending: `${written(answers)} × answered` };
  },
};

/** A chain of accounts, each of which asks the next, and the last the first. */
function circle(count: number): string {
  const accounts = Array.from({ length: count }, (_, i) => {
    const next = (i + 1) % count;
    return `A${i} { users: [{user: u${i}, password: p}], exports: [{service: "ask.${i}"}], imports: [{service: {account: A${next}, subject: "ask.${next}"}, to: "ask.${i}"}] }`;
  });
  return `accounts { ${accounts.join('\n')} }\nno_auth_user: u0\n`;
}

const importCircle: Attack = {
  id: 'import-circle',
  title: 'services that are imported in a circle',
  async run(field) {
    const { spawnSync } = await import('node:child_process');
    const { writeFileSync } = await import('node:fs');
    const sizes = [2, 10, 100];
    let refused = '';
    for (const size of sizes) {
      const file = `${field.folder}/circle-${size}.conf`;
      writeFileSync(file, circle(size));
      const { stderr, stdout } = spawnSync(process.execPath, [field.weir, 'serve', '-t', '-c', file], {
        encoding: 'utf8',
      });
      refused = /[^:\n]*cycle[^\n]*/.exec(stderr + stdout)?.[0].trim() ?? `taken: ${stderr}${stdout}`;
      if (!refused.includes('cycle')) break;
    }
    return { amount: `circles of ${sizes.join(', ')} accounts`, ending: `the configuration is refused: ${refused}` };
  },
};

const importChain: Attack = {
  id: 'import-chain',
  title: 'a service that is imported through 60 accounts',
  config() {
    const accounts = Array.from({ length: 60 }, (_, i) => {
      const exports = `exports: [{service: "ask.${i}"}]`;
      const imports =
        i < 59 ? `imports: [{service: {account: A${i + 1}, subject: "ask.${i + 1}"}, to: "ask.${i}"}]` : '';
      return `A${i} { users: [{user: u${i}, password: p}], ${exports}, ${imports} }`;
    });
    return `accounts { ${accounts.join('\n')} }\nno_auth_user: u0\n`;
  },
  bounds: { stallMs: 300 },
  async run(field) {
    const count = field.amount(50_000);
    const frames = Buffer.from('PUB ask.0 _INBOX.api 2\r\nhi\r\n'.repeat(100));
    const [villain, told] = await field.listener('_INBOX.api', 'NATS/1.0 503');
    await villain.repeat(frames, count / 100);
    await villain.flush();
    return {
      amount: `${written(count)} requests`,
      ending: `a message goes through 32 accounts at most: ${written(told())} × told that nobody is there`,
    };
  },
};

const mappingCircle: Attack = {
  id: 'mapping-circle',
  title: 'mappings that lead to each other, and to wildcards',
  config: () =>
    'mappings { "a.*": "b.$1", "b.*": "a.$1", "c.*": [{destination: "c.$1", weight: 50%}, {destination: "d.$1", weight: 50%}] }\n',
  async run(field) {
    const count = field.amount(300_000);
    const [villain, came] = await field.listener('>', ' 1 1\r\nx\r\n');
    const frames = Buffer.from('PUB a.x 1\r\nx\r\nPUB b.x 1\r\nx\r\nPUB c.x 1\r\nx\r\n'.repeat(100));
    await villain.repeat(frames, count / 300);
    await villain.flush();
    return { amount: `${written(count)} messages`, ending: `a mapping counts once: ${written(came())} × delivered` };
  },
};

const replyLoop: Attack = {
  id: 'reply-loop',
  title: 'requests whose answers are requests: `$JS.API`, `$SYS` and `$WEIR.API` asked to answer each other',
  async run(field) {
    const subjects = [
      '$JS.API.INFO',
      '$WEIR.API.PLUGIN.LIST',
      '$SYS.REQ.USER.INFO',
      '$SYS.REQ.SERVER.PING',
      '$JS.API.STREAM.NAMES',
    ];
    const pairs = subjects.flatMap((one) => subjects.map((other) => [one, other]));
    const count = field.amount(50_000);
    const [villain, came] = await field.listener('$JS.API.>', 'MSG $JS.API.');
    const frames = Buffer.from(pairs.map(([one, other]) => `PUB ${one} ${other} 0\r\n\r\n`).join(''));
    await inTurns(count / pairs.length, 1, () => villain.send(frames));
    await villain.flush();
    return {
      amount: `${written(count)} requests`,
      ending: `it ends there: ${written(came())} requests and answers to \`$JS.API\``,
    };
  },
};

/** What those who run a part of the house can do to the rest of it. */
export const houseAttacks: readonly Attack[] = [
  pluginApi,
  pluginUploads,
  importCircle,
  importChain,
  mappingCircle,
  replyLoop,
];
