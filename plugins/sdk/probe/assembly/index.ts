// Does what a test asks for: the subject names a function of the SDK, headers and payload hold what it works on.
import { emit, Entries, fail, Json, log, Message, metric, NO_ROW, Path, reject, Verdict } from 'weir/plugin';

/** State that lives longer than a message. */
const seen: Map<string, i32> = new Map();
/** Of the table: how long the texts are. */
const entries: Entries<i32> = new Entries<i32>();

export function onEntry(key: string, value: Json | null): void {
  if (value === null) entries.remove(key);
  else entries.set(key, value.toString().length);
}

export function onMessage(message: Message): Verdict {
  const name = message.subjectToken(0);
  if (name == 'json') return onJson(message, message.subjectToken(1));
  if (name == 'parts') return onParts(message);
  if (name == 'effects') return onEffects(message);
  if (name == 'state') return onState(message);
  if (name == 'entries') return onEntries(message);
  if (name == 'large') {
    message.text = 'x'.repeat(<i32>parseInt(message.text));
    return Verdict.Replace;
  }
  if (name == 'trap') return <Verdict>outOfRange([1, 2], message.text.length);
  return fail(`there is no "${name}"`);
}

function onJson(message: Message, what: string): Verdict {
  const json = message.json;
  const path = header(message, 'Path');
  const value = header(message, 'Value');
  if (!json.valid) return reject(422, json.problem);
  let isSet = true;
  if (what == 'number') isSet = json.setNumber('r', json.number('v'));
  else if (what == 'round') isSet = json.setNumber('r', json.number('v'), <i32>parseInt(value));
  else if (what == 'text') isSet = json.setText('r', json.text('v'));
  else if (what == 'find') message.text = json.at(path).raw;
  else if (what == 'length') message.text = json.at(path).length.toString();
  else if (what == 'walk') message.text = walk(json);
  else if (what == 'set') isSet = json.setRaw(path, value);
  else if (what == 'keep') json.keep(paths(path));
  else if (what == 'remove') json.remove(paths(path));
  else if (what == 'twice') {
    // Reads what the first change has made.
    isSet = json.setNumber('a', json.number('a') + 1) && json.setNumber('b', json.number('a') + 1);
  }
  return isSet ? Verdict.Replace : fail(`there is no place for "${path}"`);
}

/** What is remembered of the key that the payload is, and how many keys there are. */
function onEntries(message: Message): Verdict {
  const row = entries.find(message.payloadStart, message.payloadBytes);
  message.text = `${row == NO_ROW ? -1 : entries.at(row)} of ${entries.size}`;
  return Verdict.Replace;
}

/** Keys and values of an object, by walking it. */
function walk(json: Json): string {
  let text = '';
  const root = json.root;
  for (let at = root.first; at.exists; at = at.following(root)) text += `${at.key}=${at.raw};`;
  return text;
}

/** Paths with line ends between them; a header cannot hold those, so `|` stands for them. */
function paths(text: string): Path[] {
  return text.split('|').map<Path>((one) => new Path(one));
}

function header(message: Message, name: string): string {
  const value = message.header(name);
  return value === null ? '' : value;
}

function onParts(message: Message): Verdict {
  const set = header(message, 'Set');
  const colon = set.indexOf('=');
  if (colon > 0) message.setHeader(set.substring(0, colon), set.substring(colon + 1).replaceAll('~', '\r\n'));
  if (header(message, 'Remove') != '') message.removeHeader(header(message, 'Remove'));
  if (header(message, 'Subject') != '') message.subject = header(message, 'Subject');
  if (header(message, 'Reply') != '') message.reply = header(message, 'Reply');
  message.text = `${message.subject} ${message.reply} ${header(message, 'Read')} ${message.timestamp}`;
  return Verdict.Replace;
}

function onEffects(message: Message): Verdict {
  emit('other.subject', message.text, 'answers', 'NATS/1.0\r\nA: 1\r\n\r\n');
  log.debug('d');
  log.info('i é');
  log.warn('w');
  log.error('e');
  metric.count('counted');
  metric.gauge('level', -1.5);
  metric.observe('took', 3);
  return Verdict.Drop;
}

/** Counts texts, and makes much that nobody needs any more. */
function onState(message: Message): Verdict {
  const text = message.text;
  const count = (seen.has(text) ? seen.get(text) : 0) + 1;
  seen.set(text, count);
  message.text = `${text} ${count} ${seen.size}`;
  return Verdict.Replace;
}

function outOfRange(list: i32[], index: i32): i32 {
  return list[index];
}
