import { textOf, utf8 } from '../base/bytes.js';
import { describe } from '../base/failure.js';
import { parseJson } from '../base/json.js';
import type { Account } from '../broker/account.js';
import { countSubscribers } from '../broker/subscribers.js';
import { type Leg, type Publisher, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message } from '../message/message.js';
import type { MonitorSource } from '../monitor/snapshots.js';
import { ClaimRequests } from './claim-requests.js';
import { requestorOf } from './requestor.js';
import type { ServerParts } from './server-parts.js';

/** What the system account may ask the server to do. */
export interface SystemActions {
  reload(by: object): Promise<void>;
  /** Whether there was such a connection. */
  kick(connectionId: number): boolean;
  lameDuckClient(connectionId: number): boolean;
}

/** Requests that are answered by what monitoring shows. */
const MONITOR = 'VARZ SUBSZ CONNZ ROUTEZ GATEWAYZ LEAFZ ACCOUNTZ JSZ HEALTHZ RAFTZ IPQUEUESZ'.split(' ');
const OF_ACCOUNT = ['SUBSZ', 'CONNZ', 'LEAFZ', 'JSZ', 'INFO', 'STATZ'];
const SUBSCRIBERS = '$SYS.DEBUG.SUBSCRIBERS';
/** Requests that may be at work at the same time; further ones are left unanswered. */
const IN_FLIGHT_MAX = 256;

interface Request {
  subject: string;
  reply: Uint8Array;
  /** The raw block as text. */
  headers: string;
  payload: string;
  publisher: Publisher | null;
}

/** Answers requests about the server: all of them in the system account, and in the others those about themselves. */
export class SystemService {
  private readonly parts: ServerParts;
  private readonly loadSource: () => Promise<MonitorSource>;
  private readonly actions: SystemActions;
  private readonly claims: ClaimRequests | null;
  private inFlight = 0;
  private seq = 0;

  /** `loadSource` is called when something of monitoring is asked for. */
  constructor(parts: ServerParts, loadSource: () => Promise<MonitorSource>, actions: SystemActions) {
    this.parts = parts;
    this.loadSource = loadSource;
    this.actions = actions;
    this.claims = parts.operator === null ? null : new ClaimRequests(parts.operator);
    parts.accounts.onAccount((account) => this.listenIn(account));
  }

  source(): Promise<MonitorSource> {
    return this.loadSource();
  }

  private listenIn(account: Account): void {
    const isSystem = account.name === this.parts.options.systemAccount;
    const filters = isSystem
      ? [
          '$SYS.REQ.SERVER.>',
          '$SYS.REQ.ACCOUNT.>',
          '$SYS.REQ.CLAIMS.*',
          '$SYS.REQ.USER.INFO',
          '$SYS.ACCOUNT.*.CLAIMS.UPDATE',
          SUBSCRIBERS,
        ]
      : [
          '$SYS.REQ.USER.INFO',
          '$SYS.REQ.ACCOUNT.PING.CONNZ',
          '$SYS.REQ.ACCOUNT.PING.STATZ',
          '$SYS.REQ.SERVER.PING.CONNZ',
        ];
    const listener = new AccountListener((request) => this.accept(account, isSystem, request));
    for (const filter of filters) account.subscribe(new Subscription(listener, utf8(filter), null, utf8('sys'), true));
  }

  private accept(account: Account, isSystem: boolean, request: Request): boolean {
    if (this.inFlight >= IN_FLIGHT_MAX) return false;
    if (request.subject === SUBSCRIBERS) return this.answerSubscribers(request);
    const answering = isSystem ? this.answerSystem(request) : this.answerMember(account, request);
    if (answering === null) return false;
    this.inFlight++;
    void answering
      .then((answers) => {
        for (const payload of answers) reply(account, request.reply, payload);
      })
      .catch((error) => this.parts.logger.error(`Cannot answer ${request.subject}: ${describe(error)}`))
      .finally(() => {
        this.inFlight--;
      });
    return true;
  }

  /** How many listen in the account of who asks to a subject, perhaps in a queue group: `subject` or `subject group`. */
  private answerSubscribers({ reply: to, payload, publisher, headers }: Request): boolean {
    const { accounts, options } = this.parts;
    // Members of other accounts come by way of an import.
    const { acc = options.systemAccount } = (requestorOf(publisher, headers) ?? {}) as { acc?: string };
    const account = accounts.get(acc);
    if (account === undefined) return false;
    const [subject, queue = null] = payload.trim().split(/\s+/);
    reply(accounts.get(options.systemAccount)!, to, String(countSubscribers(account, { subject, queue })));
    return true;
  }

  /** The same of any account, as servers ask each other. Nobody answers for an account that has nobody in it here. */
  private subscribersOf(payload: string): Promise<string[]> | null {
    const { acc, subject, queue } = fieldsOf(payload);
    const account = typeof acc === 'string' ? this.parts.accounts.get(acc) : undefined;
    if (account === undefined || account.clients === 0 || typeof subject !== 'string') return null;
    // Go writes bytes in base64.
    const group = typeof queue === 'string' ? Buffer.from(queue, 'base64').toString() : null;
    return Promise.resolve([String(countSubscribers(account, { subject, queue: group }))]);
  }

  /** What any account may know of itself. */
  private answerMember(account: Account, { subject, payload, publisher }: Request): Promise<string[]> | null {
    if (subject === '$SYS.REQ.USER.INFO') return this.userInfo(publisher);
    return this.monitored(subject.split('.').at(-1)!, payload, account.name);
  }

  private answerSystem(request: Request): Promise<string[]> | null {
    const { subject, payload, publisher } = request;
    const [, , kind, target = '', name = 'STATSZ'] = subject.split('.');
    if (kind === 'USER') return this.userInfo(publisher);
    if (kind === 'SERVER') return this.answerServer(target, name, request);
    if (subject === '$SYS.REQ.ACCOUNT.NSUBS') return this.subscribersOf(payload);
    if (kind === 'ACCOUNT' && OF_ACCOUNT.includes(name)) {
      const one = target === 'PING' ? null : target;
      return name === 'STATZ' || one !== null ? this.monitored(name, payload, one) : null;
    }
    const outcome = this.claims?.answer(subject, payload) ?? null;
    if (outcome === null) return null;
    if ('raw' in outcome) return Promise.resolve(outcome.raw);
    return this.wrapped(outcome);
  }

  private answerServer(target: string, name: string, request: Request): Promise<string[]> | null {
    const { identity } = this.parts;
    if (target !== 'PING' && target !== identity.id) return null;
    if (name === 'STATSZ') return this.stats();
    if (name === 'IDZ') {
      const { name: serverName, host, id } = identity;
      return Promise.resolve([JSON.stringify({ name: serverName, host, id })]);
    }
    if (MONITOR.includes(name)) return this.monitored(name, request.payload, null);
    return target === 'PING' ? null : this.command(name, request);
  }

  private command(name: string, { payload, publisher, headers }: Request): Promise<string[]> | null {
    const { actions } = this;
    if (name === 'RELOAD')
      // Nobody known is somebody nevertheless, and no signal.
      return actions.reload(requestorOf(publisher, headers) ?? {}).then(
        () => this.wrapped({ data: null }),
        (error) => this.wrapped({ error: { code: 500, description: describe(error) } }),
      );
    if (name !== 'KICK' && name !== 'LDM') return null;
    const id = connectionIdOf(payload);
    const found = id !== null && (name === 'KICK' ? actions.kick(id) : actions.lameDuckClient(id));
    const description = name === 'KICK' ? 'no such client or leafnode id' : 'no such client id';
    const error = { code: 500, description };
    return this.wrapped(found ? { data: null } : { error });
  }

  private async stats(): Promise<string[]> {
    const { statsJson } = await import('../monitor/system-answers.js');
    return [JSON.stringify({ server: await this.serverJson(), statsz: statsJson(await this.source()) })];
  }

  private async monitored(name: string, payload: string, account: string | null): Promise<string[]> {
    const { answerFor } = await import('../monitor/system-answers.js');
    const answer = answerFor(name, payload, await this.source(), account);
    return answer === null ? [] : this.wrapped(answer);
  }

  private userInfo(publisher: Publisher | null): Promise<string[]> | null {
    const data = publisher?.userInfo?.();
    return data === undefined ? null : this.wrapped({ data });
  }

  private async wrapped(answer: object): Promise<string[]> {
    return [JSON.stringify({ server: await this.serverJson(), ...answer })];
  }

  /** The server as answers and events name it; each has the next number. */
  async serverJson(): Promise<object> {
    const { serverJson } = await import('../monitor/system-answers.js');
    return serverJson((await this.source()).server(), ++this.seq, this.parts.clock.nowMs());
  }
}

class AccountListener implements Subscriber {
  private readonly accept: (request: Request) => boolean;

  constructor(accept: (request: Request) => boolean) {
    this.accept = accept;
  }

  deliver(_leg: Leg, message: Message, publisher: Publisher | null): boolean {
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    if (replyEnd === replyStart) return false;
    return this.accept({
      subject: textOf(bytes, subjectStart, subjectEnd),
      reply: bytes.slice(replyStart, replyEnd),
      headers: textOf(bytes, headersStart, payloadStart),
      payload: textOf(bytes, payloadStart, payloadEnd),
      publisher,
    });
  }
}

function reply(account: Account, subject: Uint8Array, payload: string): void {
  account.publishDirect(composeMessage({ subject, reply: null, headers: null, payload: utf8(payload) }));
}

function connectionIdOf(payload: string): number | null {
  const { cid } = fieldsOf(payload);
  return typeof cid === 'number' ? cid : null;
}

/** Of JSON; nothing of what is none. */
function fieldsOf(payload: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = parseJson(payload);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
