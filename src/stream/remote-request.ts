import type { Account } from '../broker/account.js';
import type { ApiErrorJson } from './api-error.js';
import type { ConsumerConfig } from './consumer-config.js';
import type { Taker } from './inflow.js';
import { object, readJson, ShapeMistake, text, whole } from './shape.js';
import { identityOf, shortHash, sourceFilters } from './source-subjects.js';
import type { SourceConfig } from './stream-config.js';

const API = '$JS.API';
const SECOND_NS = 1_000_000_000;
const HEARTBEAT = SECOND_NS;
const UNUSED_MAX = 10 * SECOND_NS;
/** Nothing is acknowledged one by one. */
const ACK_WAIT = 22 * 3600 * SECOND_NS;

const answerShape = object('ConsumerAnswer', {
  error: object('ApiError', { code: whole, err_code: whole, description: text }),
  config: object('ConsumerConfig', { ack_policy: text }),
});

/** Asks for a consumer that sends a source's messages here. */
export class RemoteRequest {
  readonly broker: Account;
  readonly newId: (length: number) => string;
  private readonly source: SourceConfig;
  private readonly api: string;
  /** The same each time, so that the other side knows who asks. */
  private readonly name: string;

  constructor({ surroundings, config }: Taker, source: SourceConfig) {
    this.broker = surroundings.broker;
    this.newId = (length) => surroundings.newId(length);
    this.source = source;
    this.api = source.external?.api || API;
    const { name, filters, destinations } = identityOf(source);
    this.name = `JS_SRC_${shortHash(`${this.broker.name} ${config.name} ${name} ${filters} ${destinations}`)}`;
  }

  /** Where the messages are to be sent to. */
  deliverSubject(): string {
    const { external, consumer } = this.source;
    if (consumer !== undefined) return consumer.deliver_subject!;
    const prefix = external?.deliver ? external.deliver.replace(/\.+$/, '') : '$JS';
    return `${prefix}.S.${this.newId(16)}`;
  }

  /** `from`: the first sequence that is wanted; 0: as the configuration says. */
  compose(from: number, deliverSubject: string): { subject: string; payload: string } {
    const { name: stream, consumer } = this.source;
    if (consumer !== undefined)
      return { subject: `${this.api}.CONSUMER.RESET.${stream}.${consumer.name}`, payload: '' };
    const filters = sourceFilters(this.source);
    const config = {
      ...{ name: this.name, deliver_subject: deliverSubject, ...this.startAt(from) },
      ...{ ack_policy: 'none', ack_wait: ACK_WAIT, max_deliver: 1, idle_heartbeat: HEARTBEAT, flow_control: true },
      ...{ inactive_threshold: UNUSED_MAX, direct: true, sourcing: true },
      ...(filters.length === 1 ? { filter_subject: filters[0] } : {}),
      ...(filters.length > 1 ? { filter_subjects: filters } : {}),
    };
    const tail = filters.length === 1 ? `.${this.name}.${filters[0]}` : '';
    return {
      subject: `${this.api}.CONSUMER.CREATE.${stream}${tail}`,
      payload: JSON.stringify({ stream_name: stream, config }),
    };
  }

  private startAt(from: number): Partial<ConsumerConfig> {
    const { opt_start_seq = 0, opt_start_time } = this.source;
    if (from > 0) return { deliver_policy: 'by_start_sequence', opt_start_seq: from };
    if (opt_start_seq > 0) return { deliver_policy: 'by_start_sequence', opt_start_seq };
    if (opt_start_time !== undefined) return { deliver_policy: 'by_start_time', opt_start_time };
    return { deliver_policy: 'all' };
  }
}

/** What the other side says: how its consumer is acknowledged, its own error, or what is wrong with the answer. */
export function readAnswer(json: string): { ackPolicy: string } | { error: ApiErrorJson } | string {
  try {
    const { error, config } = readJson(json, answerShape, false);
    if (error !== undefined) return { error: { code: 0, err_code: 0, description: '', ...error } };
    return config === undefined ? 'no consumer was made' : { ackPolicy: config.ack_policy ?? '' };
  } catch (mistake) {
    if (!(mistake instanceof ShapeMistake)) throw mistake;
    return `the answer is not what it has to be: ${mistake.message}`;
  }
}

/** What the subject for a message's acknowledgement tells. */
export interface Delivered {
  sequence: number;
  consumerSequence: number;
  timeMs: number;
  timeNs: number;
  pending: number;
}

/** `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<ns>.<pending>…`, or null. */
export function deliveredOf(subject: string): Delivered | null {
  const tokens = subject.split('.');
  if (tokens.length < 9 || tokens[0] !== '$JS' || tokens[1] !== 'ACK') return null;
  const at = tokens.length >= 11 ? 7 : 5;
  const time = tokens[at + 2];
  const numbers = [tokens[at], tokens[at + 1], tokens[at + 3], time.slice(0, -6), time.slice(-6)].map(Number);
  if (!numbers.every((number) => Number.isSafeInteger(number) && number >= 0)) return null;
  const [sequence, consumerSequence, pending, timeMs, timeNs] = numbers;
  return { sequence, consumerSequence, pending, timeMs, timeNs };
}
