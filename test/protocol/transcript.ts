/**
 * A transcript is a conversation with a server that a person can read and a program can replay:
 *
 * ```text
 * # Text for the reader.
 * config:
 *   max_payload: 64
 *
 * == what the scenario shows [only weir] [whole]
 * A> CONNECT {"verbose":false}    A sends the line and CRLF
 * A>| PUB foo 5\r\nhel            A sends these bytes and no CRLF
 * A< PONG                         A gets exactly this line and CRLF next
 * A<| MSG foo 1 2                 A gets exactly these bytes next
 * A<~ -ERR '.*'                   A gets a line that matches the whole expression
 * A<? MSG foo 1 0\r\n             together with the `<?` lines around it: A gets these lines, in any order
 * A<info {"headers":true,"nonce":null,"client_id":"<number>"}     INFO with these fields; null is absent
 * A< (closed)                     the server closes the connection and has said nothing more
 * A> (close)                      A closes
 * -- wait 100                     milliseconds
 * -- lame duck                    the server enters lame duck mode
 * ```
 *
 * A connection is opened where it is first named; its first INFO is passed over unless `<info` asks for it. `A` may be left out.
 * `\r \n \t \0 \xNN \\` are escapes and `{x*9}` stands for nine times `x`. What one connection sends in lines that follow each other
 * goes out in one piece, byte by byte and at random cuts; a scenario marked `[whole]` or `[whole on nats-server]` in one piece only.
 */
export interface Transcript {
  config: string;
  scenarios: Scenario[];
}

export interface Scenario {
  name: string;
  /** Where only one server is meant. */
  only: string | null;
  /** The server, or `all`, where cuts would change what is shown or make it slow. */
  wholeOn: string | null;
  steps: Step[];
}

export type Step =
  | { kind: 'send'; connection: string; bytes: Buffer; at: number }
  | { kind: 'bytes'; connection: string; text: string; at: number }
  | { kind: 'pattern'; connection: string; pattern: RegExp; at: number }
  | { kind: 'unordered'; connection: string; lines: string[]; at: number }
  | { kind: 'info'; connection: string; fields: Record<string, unknown>; at: number }
  | { kind: 'closed'; connection: string; at: number }
  | { kind: 'close'; connection: string; at: number }
  | { kind: 'wait'; ms: number; at: number }
  | { kind: 'lameDuck'; at: number };

const STEP = /^([A-Z]?)(>\||>|<\||<~|<\?|<info|<)(?: (.*))?$/;

/** Reads a transcript; throws an error that names the line. */
export function parseTranscript(text: string): Transcript {
  const transcript: Transcript = { config: '', scenarios: [] };
  let scenario: Scenario | null = null;
  let inConfig = false;
  text.split('\n').forEach((line, index) => {
    const at = index + 1;
    const title = /^== (.*?)((?: \[[a-z -]+\])*)$/.exec(line);
    if (title !== null) {
      inConfig = false;
      const [, name, tags] = title;
      const only = /\[only ([a-z-]+)\]/.exec(tags)?.[1] ?? null;
      const wholeOn = tags.includes('[whole]') ? 'all' : (/\[whole on ([a-z-]+)\]/.exec(tags)?.[1] ?? null);
      scenario = { name, only, wholeOn, steps: [] };
      transcript.scenarios.push(scenario);
    } else if (line === 'config:') inConfig = true;
    else if (inConfig && /^\s/.test(line)) transcript.config += `${line}\n`;
    else if (line !== '' && !line.startsWith('#')) {
      if (scenario === null) throw new Error(`line ${at}: expected a scenario, found ${JSON.stringify(line)}`);
      addStep(scenario.steps, line, at);
    }
  });
  return transcript;
}

function addStep(steps: Step[], line: string, at: number): void {
  const wait = /^-- wait (\d+)$/.exec(line);
  if (wait !== null) {
    steps.push({ kind: 'wait', ms: Number(wait[1]), at });
    return;
  }
  if (line === '-- lame duck') {
    steps.push({ kind: 'lameDuck', at });
    return;
  }
  const parts = STEP.exec(line);
  if (parts === null) throw new Error(`line ${at}: not a step: ${JSON.stringify(line)}`);
  const [, letter, verb, rest = ''] = parts;
  const connection = letter || 'A';
  const last = steps.at(-1);
  switch (verb) {
    case '>':
    case '>|': {
      if (rest === '(close)') {
        steps.push({ kind: 'close', connection, at });
        return;
      }
      const bytes = Buffer.from(unescapeText(rest) + (verb === '>' ? '\r\n' : ''), 'latin1');
      if (last?.kind === 'send' && last.connection === connection) last.bytes = Buffer.concat([last.bytes, bytes]);
      else steps.push({ kind: 'send', connection, bytes, at });
      return;
    }
    case '<~':
      steps.push({ kind: 'pattern', connection, pattern: new RegExp(`^${rest}$`), at });
      return;
    case '<info':
      steps.push({ kind: 'info', connection, fields: rest === '' ? {} : JSON.parse(rest), at });
      return;
    case '<?':
      if (last?.kind === 'unordered' && last.connection === connection) last.lines.push(unescapeText(rest));
      else steps.push({ kind: 'unordered', connection, lines: [unescapeText(rest)], at });
      return;
    default:
      if (rest === '(closed)') steps.push({ kind: 'closed', connection, at });
      else steps.push({ kind: 'bytes', connection, text: unescapeText(rest) + (verb === '<' ? '\r\n' : ''), at });
  }
}

const ESCAPES: Record<string, string> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** Escapes and repetitions to the latin1 text that they stand for. */
function unescapeText(text: string): string {
  const repeated = text.replace(/\{(.)\*(\d+)\}/g, (_, letter: string, times: string) => letter.repeat(Number(times)));
  return Buffer.from(repeated, 'utf8')
    .toString('latin1')
    .replace(/\\(?:x([0-9a-f]{2})|(.))/g, (all, code?: string, letter?: string) => {
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      return ESCAPES[letter ?? ''] ?? all;
    });
}
