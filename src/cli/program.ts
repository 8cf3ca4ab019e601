import { Command, InvalidArgumentError, Option } from 'commander';
import { WEIR_VERSION } from '../base/version.js';
import { FAULT_CAUSES } from '../sandbox/fault.js';
import { withConnection } from './connection.js';

// Each command's code is loaded when it runs: `weir --help` and `weir --version` load none of it.

function whole(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${min}.`);
  };
}

function real(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
}

function collect(text: string, texts: string[]): string[] {
  return [...texts, text];
}

function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

function withHeaders(command: Command): Command {
  return command.option(
    '-H, --header <name:value>',
    'a header of the message; can be given several times',
    collect,
    [],
  );
}

function addServe(program: Command): void {
  // Only for the help: weir.ts runs `weir serve` before any of this is loaded.
  program
    .command('serve')
    .argument('[flags...]')
    .description("start a server; takes nats-server's flags")
    .allowUnknownOption();
}

function addMessaging(program: Command): void {
  const publish = withHeaders(withConnection(program.command('pub').argument('<subject>').argument('[payload]')))
    .description('publish a message; the payload is stdin when it is left out or -')
    .option('--count <n>', 'how many times', whole(1), 1)
    .option('--reply <subject>', 'reply subject')
    .option('--lines', 'every line of stdin is a message')
    .option('--json', 'print JSON')
    .action(async (subject, payload, options) => (await import('./publish.js')).publish(subject, payload, options));
  examples(
    publish,
    'weir pub sensors.kitchen \'{"celsius": 21.5}\'',
    'weir pub -H "Unit: C" sensors.kitchen 21.5',
    'cat readings.ndjson | weir pub sensors.kitchen --lines',
  );

  const subscribe = withConnection(program.command('sub').argument('<subject>'))
    .description('print the messages of a subject, until Ctrl-C')
    .option('--queue <group>', 'be a member of a queue group')
    .option('--count <n>', 'end after so many messages', whole(1))
    .option('--raw', 'print payloads only')
    .option('--headers', 'print headers too')
    .option('--json', 'print every message as a line of JSON')
    .action(async (subject, options) => (await import('./subscribe.js')).subscribe(subject, options));
  examples(
    subscribe,
    "weir sub 'sensors.>'",
    'weir sub orders --queue workers --count 10',
    "weir sub 'sensors.*' --json | jq .subject",
  );

  const request = withHeaders(withConnection(program.command('req').argument('<subject>').argument('[payload]')))
    .description('send a request and print its reply')
    .option('--timeout <ms>', 'how long to wait for the reply', whole(1), 5_000)
    .option('--raw', 'print the payload only')
    .option('--headers', 'print headers too')
    .option('--json', 'print the reply as a line of JSON')
    .action(async (subject, payload, options) => (await import('./request.js')).request(subject, payload, options));
  examples(request, 'weir req time.now', "weir req '$WEIR.API.PLUGIN.LIST'", 'echo 21.5 | weir req convert.fahrenheit');
}

function addInstalling(plugin: Command): void {
  const install = withConnection(
    plugin.command('install').argument('<module>', '.wasm file, plugin folder or bundled plugin'),
  )
    .description('install a module as a new version of a plugin')
    .option('--name <name>', "the plugin's name (default: the file's)")
    .option('--json', 'print JSON')
    .action(async (source, options) => (await import('./plugin-install.js')).install(source, options));
  examples(
    install,
    'weir plugin install door-filter',
    'weir plugin install build/filter.wasm --name door-filter',
    'weir plugin install threshold',
  );

  const attach = withConnection(
    plugin.command('attach').argument('<plugin>', 'name or name@version').argument('<subject>', 'subject filter'),
  )
    .description('run a plugin on every message published to a subject')
    .option('--name <name>', "the attachment's name (default: the plugin's)")
    .addOption(
      new Option('--phase <phase>', 'when it runs in a chain').choices([
        'authorize',
        'validate',
        'transform',
        'enrich',
        'observe',
      ]),
    )
    .option('--order <n>', 'order within the phase, smallest first', real)
    .option('--config <json>', 'configuration of the plugin: JSON, or @file')
    .option('--fuel <n>', 'fuel for one message', whole(1))
    .option('--memory <bytes>', 'memory of the plugin', whole(1))
    .option('--output <bytes>', 'output for one message', whole(0))
    .option('--grant-emit <filter>', 'subjects it may emit to; can be given several times', collect, [])
    .option('--grant-log', 'it may write log lines')
    .option('--grant-metric', 'it may report metrics')
    .option(
      '--on-fault <action>',
      `what becomes of a message when it fails: reject, dead-letter, drop, pass or bypass-chain; or <cause>=<action> with the cause ${FAULT_CAUSES.join(', ')}`,
      collect,
      [],
    )
    .option('--force', 'allow "pass" in the phases authorize and validate')
    .option('--replace', 'replace an attachment of this name')
    .option('--json', 'print JSON')
    .action(async (name, subject, options) => (await import('./plugin-attach.js')).attach(name, subject, options));
  examples(
    attach,
    "weir plugin attach door-filter 'doors.>'",
    'weir plugin attach threshold@2 \'sensors.*\' --name noise --config \'{"field": "wind", "above": 3}\'',
    "weir plugin attach split 'batches.>' --grant-emit 'items.>' --on-fault fuel=drop",
  );

  const detach = withConnection(plugin.command('detach').argument('<attachment>'))
    .description('end an attachment')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-attach.js')).detach(name, options));
  examples(detach, 'weir plugin detach noise');
}

function addListing(plugin: Command): void {
  const list = withConnection(plugin.command('ls'))
    .description('list plugins and attachments')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./plugin-list.js')).list(options));
  examples(list, 'weir plugin ls', 'weir plugin ls --json | jq .attachments');

  const remove = withConnection(plugin.command('rm').argument('<plugin>'))
    .description('remove a plugin and all its versions')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-list.js')).remove(name, options));
  examples(remove, 'weir plugin rm door-filter');

  const info = withConnection(plugin.command('info').argument('<name>', 'plugin or attachment'))
    .description('show a plugin, its versions, and its attachments with their counters')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-list.js')).info(name, options));
  examples(info, 'weir plugin info threshold');
}

/** The `weir` command line. */
export function createProgram(): Command {
  const program = new Command('weir')
    .description('A NATS-compatible message broker that runs your WebAssembly inside the message path.')
    .version(`weir ${WEIR_VERSION}`, '-v, --version')
    .showHelpAfterError('(see weir --help)');
  examples(
    program,
    'weir serve -p 4222',
    "weir sub 'sensors.>'",
    'weir pub sensors.kitchen 21.5',
    'weir plugin new my-filter',
  );
  addServe(program);
  addMessaging(program);
  const plugin = program.command('plugin').description('make, test, install and attach plugins');
  addInstalling(plugin);
  addListing(plugin);
  return program;
}
