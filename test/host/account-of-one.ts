import { textOf } from '../../src/base/bytes.js';
import { ChainOutcome } from '../../src/host/chain.js';
import type { AttachmentDeclaration } from '../../src/host/declarations.js';
import { PluginHost } from '../../src/host/plugin-host.js';
import { composeMessage, type Message, type MessageParts } from '../../src/message/message.js';
import { ManualClock } from '../kit/manual-clock.js';

interface Sent {
  subject: string;
  reply?: string;
  headers?: string;
  payload?: string;
}

/** A message as texts. */
export interface Texts {
  subject: string;
  reply: string;
  headers: string;
  payload: string;
}

const bytesOf = (text: string | undefined) => (text === undefined ? null : Buffer.from(text));
const outcomes = Object.keys(ChainOutcome) as (keyof typeof ChainOutcome)[];

/** A plugin host without a broker around it: messages go through a chain, and what plugins emit is listed. */
export class AccountOfOne {
  readonly clock = new ManualClock();
  readonly host = new PluginHost({ clock: this.clock, payloadBytesMax: () => 1000 });

  /** Installs a guest and attaches it under the same name. */
  async bring(name: string, wasm: Uint8Array, definition: Partial<AttachmentDeclaration> = {}): Promise<void> {
    await this.host.install(name, wasm);
    await this.host.deployments.create({ name, plugin: name, subject: 'in.>', ...definition });
    this.emitted();
  }

  /** What becomes of a message: the outcome, the message that goes on, and what is told to its publisher. */
  send(sent: Sent): { outcome: string; message: Texts; code: number; text: string } {
    const parts: MessageParts = {
      subject: Buffer.from(sent.subject),
      reply: bytesOf(sent.reply),
      headers: bytesOf(sent.headers),
      payload: Buffer.from(sent.payload ?? ''),
    };
    const message = composeMessage(parts);
    const chain = this.host.attachments.chainFor(message.bytes, message.subjectStart, message.subjectEnd);
    if (chain === null) return { outcome: 'no chain', message: textsOf(message), code: 0, text: '' };
    const outcome = chain.run(message);
    const { rejectCode: code, rejectText: text } = chain;
    const left = outcome === ChainOutcome.replace ? chain.replaced : message;
    return { outcome: outcomes.find((name) => ChainOutcome[name] === outcome)!, message: textsOf(left), code, text };
  }

  /** What was emitted since it was asked last, and whether it goes past all plugins. */
  emitted(): (Texts & { direct: boolean; hops: number })[] {
    const all = [];
    for (let entry = this.host.emits.shift(); entry !== undefined; entry = this.host.emits.shift()) {
      all.push({ ...textsOf(entry.message), direct: entry.direct, hops: entry.message.hops });
    }
    return all;
  }
}

function textsOf(message: Message): Texts {
  const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
  return {
    subject: textOf(bytes, subjectStart, subjectEnd),
    reply: textOf(bytes, replyStart, replyEnd),
    headers: textOf(bytes, headersStart, payloadStart),
    payload: textOf(bytes, payloadStart, payloadEnd),
  };
}
