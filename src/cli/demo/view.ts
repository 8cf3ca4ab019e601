import type { ListenUrls } from '../../server/ports-file.js';
import { defaultServer } from '../connection.js';
import { formatTable, microseconds, right } from '../print.js';
import type { Feed, Outcome } from './feed.js';
import { steps, watchedFilter, weatherSubject } from './steps.js';
import type { Style, Terminal } from './terminal.js';
import { type Burst, fuelPerMessage, nsPerMessage, workOfChain } from './work.js';

/** A field of flat JSON: its name and its value. */
const jsonField = /"([^"]*)":("(?:[^"\\]|\\.)*"|[^,{}]+)/g;

function fieldsOf(json: string): Map<string, string> {
  return new Map(Array.from(json.matchAll(jsonField), ([, name, value]) => [name!, value!]));
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Says on the terminal what happens. */
export class View {
  private readonly terminal: Terminal;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  started({ nats, monitoring }: ListenUrls, wanted: { clientPort: number; monitoringPort: number }): void {
    this.heading('A broker is up, in this process');
    this.listening('clients   ', nats![0]!, wanted.clientPort);
    this.listening('monitoring', monitoring![0]!, wanted.monitoringPort);
  }

  attached(): void {
    this.heading(`Four plugins are in the path of every message to ${watchedFilter}`);
    for (const { name, plugin, says } of steps) {
      this.terminal.line(`  ${this.terminal.paint('bold', name.padEnd(12))}${plugin.padEnd(11)}${says}`);
    }
    this.heading(`Seattle's weather, day by day, published to ${weatherSubject}`);
  }

  outcome({ before, after, droppedBy, fuel }: Outcome): void {
    const cost = this.dim(`(${whole(fuel)} fuel)`);
    this.terminal.line(`  published  ${this.paintFields(before, after, 'red')}`);
    if (after === null) this.terminal.line(`  ${this.terminal.paint('red', 'dropped')}    by ${droppedBy} ${cost}`);
    else this.terminal.line(`  delivered  ${this.paintFields(after, before, 'green')} ${cost}`);
  }

  burst(burst: Burst): void {
    const { count, ms, delivered } = burst;
    const works = workOfChain(burst);
    const rows = works.map(({ name, plugin, calls, dropped, changed, fuel, nsPerCall }) => [
      ...[name, plugin, whole(calls), whole(dropped), whole(changed)],
      ...[calls === 0 ? '-' : whole(fuel / calls), microseconds(nsPerCall)],
    ]);
    this.heading(`And ${whole(count)} messages of the same series as fast as they go`);
    const table = formatTable(
      ['ATTACHMENT', 'PLUGIN', ...right('CALLS', 'DROPPED', 'CHANGED', 'FUEL/CALL', 'µs/CALL')],
      rows,
    );
    for (const line of table.split('\n')) this.terminal.line(`  ${line}`);
    const cost = `${whole(fuelPerMessage(works, count))} fuel and ${microseconds(nsPerMessage(works, count))} µs`;
    this.terminal.line();
    this.terminal.line(
      `  ${whole(count)} published, ${whole(delivered)} delivered, ${whole(count - delivered)} dropped in ${whole(ms)} ms` +
        ` (${whole((count / ms) * 1_000)} a second).`,
    );
    this.terminal.line(`  The chain cost ${this.terminal.paint('bold', cost)} per message.`);
  }

  instructions({ nats, monitoring }: ListenUrls): void {
    const server = nats![0]!;
    // Clients look there by themselves.
    const at = server === defaultServer ? '' : ` -s ${server}`;
    const weir = (command: string) => `npx weir ${command}${at}`;
    this.heading(`Your turn: it goes on with a message a second. In another terminal, in this folder:`);
    this.command('watch what subscribers get', weir(`sub '${watchedFilter}'`));
    this.command('publish a rainy day', weir(`pub weather.home '{"station":"SEA","precipitation":4.2,"temp_max":20}'`));
    this.command('publish a dry day: it is dropped', weir(`pub weather.home '{"station":"SEA","precipitation":0}'`));
    this.command('see what each plugin did', weir('plugin ls'));
    this.command('take the filter out', weir(`plugin detach ${steps[0]!.name}`));
    this.command('or use any NATS client', `nats sub '${watchedFilter}'${at}`);
    this.command('write a plugin', 'npx weir plugin new my-filter');
    this.terminal.line();
    this.terminal.line(`  Monitoring: ${monitoring![0]}/pluginz, /varz, /connz, /metrics`);
    this.terminal.line('  Ctrl-C ends it.');
    this.terminal.line();
  }

  /** A message that somebody else published. */
  byHand(subject: string, payload: string): void {
    this.terminal.line(`  delivered  ${this.terminal.paint('bold', subject)} ${payload}`);
  }

  status(feed: Feed): void {
    const { published, delivered } = feed;
    const dropped = whole(published - delivered);
    this.terminal.showStatus(`  ${whole(published)} published, ${whole(delivered)} delivered, ${dropped} dropped`);
  }

  ended(): void {
    this.terminal.endStatus();
    this.terminal.line('The broker has stopped.');
  }

  private heading(text: string): void {
    this.terminal.line();
    this.terminal.line(this.terminal.paint(['bold', 'cyan'], text));
  }

  private listening(what: string, url: string, wanted: number): void {
    const taken =
      Number(new URL(url).port) === wanted ? '' : this.terminal.paint('yellow', `  (port ${wanted} is taken)`);
    this.terminal.line(`  ${what}  ${this.terminal.paint('bold', url)}${taken}`);
  }

  private command(what: string, command: string): void {
    this.terminal.line(`  ${this.dim(`# ${what}`)}`);
    this.terminal.line(`  ${command}`);
  }

  private dim(text: string): string {
    return this.terminal.paint('dim', text);
  }

  /** Marks the fields that the other message lacks in the given colour, and those with another value there in yellow. */
  private paintFields(json: string, other: string | null, missing: Style): string {
    if (other === null) return json;
    const others = fieldsOf(other);
    return json.replace(jsonField, (text, name: string, value: string) => {
      if (!others.has(name)) return this.terminal.paint(missing, text);
      return others.get(name) === value ? text : this.terminal.paint('yellow', text);
    });
  }
}
