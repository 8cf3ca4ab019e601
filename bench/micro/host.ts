import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { takeFromArena } from '../../src/base/arena.js';
import { wordsOf } from '../../src/base/bytes.js';
import { systemClock } from '../../src/base/clock.js';
import { Attachment } from '../../src/host/attachment.js';
import { Chain, ChainOutcome } from '../../src/host/chain.js';
import { Effects } from '../../src/host/effects.js';
import { EmitQueue } from '../../src/host/emit-queue.js';
import { PluginTurn } from '../../src/host/turn.js';
import { Message } from '../../src/message/message.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import type { MicroFigure } from '../micro.js';
import { CONFIGS, READING, SUBJECT } from '../readings.js';
import { kept, nsPerStep } from '../timing.js';

const MESSAGES = 1000;
const ROUNDS = 200;

/** What a chain of bundled plugins costs a message besides its delivery; the messages lie one behind the other, as they come from a socket. */
export async function benches(): Promise<MicroFigure[]> {
  const messages = chunk();
  return [['threshold'], ['threshold', 'threshold', 'threshold'], ['pick'], ['convert'], ['enrich']].map((plugins) => {
    const chain = new Chain(plugins.map(attach), new Effects(new EmitQueue(), () => 1 << 20, systemClock), turn());
    const run = codeOfItsOwn();
    const ns = nsPerStep(MESSAGES * ROUNDS, () => {
      for (let round = 0; round < ROUNDS; round++) kept.value += run(chain, messages);
    });
    if (chain.run(messages[0]) > ChainOutcome.replace) throw new Error(chain.attachments[0].fault.text);
    return { name: `chain of ${plugins.join(', ')}, ${READING.length} B`, ns };
  });
}

/** The engine inlines what one loop calls: each figure has a loop of its own. */
function codeOfItsOwn(): (chain: Chain, messages: Message[]) => number {
  const body = `let sum = 0;
    for (let i = 0; i < messages.length; i++) {
      const outcome = chain.run(messages[i]);
      if (outcome === ${ChainOutcome.replace}) chain.release(chain.replaced);
      sum += outcome;
    }
    return sum;`;
  return new Function('chain', 'messages', body) as (chain: Chain, messages: Message[]) => number;
}

function turn(): PluginTurn {
  return new PluginTurn(systemClock, () => {});
}

function attach(plugin: string, index: number): Attachment {
  const prepared = prepareModule(readFileSync(join('dist', 'plugins', `${plugin}.wasm`)));
  const version = { plugin, number: 1, sha256: '', bytes: 0, installedMs: 0, prepared, manifest: null };
  const declaration = { name: `${plugin}-${index}`, plugin, subject: '>', config: CONFIGS[plugin] };
  const attachment = new Attachment(declaration, version, { clock: systemClock });
  attachment.beginHere();
  return attachment;
}

function chunk(): Message[] {
  const line = Buffer.concat([Buffer.from(`PUB ${SUBJECT} ${READING.length}\r\n`), READING, Buffer.from('\r\n')]);
  const bytes = takeFromArena(line.length * MESSAGES)!;
  const words = wordsOf(bytes);
  return Array.from({ length: MESSAGES }, (_, i) => {
    bytes.set(line, i * line.length);
    const message = new Message();
    message.bytes = bytes;
    message.words = words;
    message.subjectStart = i * line.length + 4;
    message.subjectEnd = message.subjectStart + SUBJECT.length;
    message.replyStart = message.subjectEnd + 1;
    message.replyEnd = message.replyStart;
    message.payloadEnd = (i + 1) * line.length - 2;
    message.payloadStart = message.payloadEnd - READING.length;
    message.headersStart = message.payloadStart;
    return message;
  });
}
