import { Command } from 'commander';
import { WEIR_VERSION } from '../base/version.js';
import { withConnection } from './connection.js';
import { addPlugin } from './plugin-program.js';
import { collect, examples, refuseInOneLine, whole } from './usage.js';

// Each command's code is loaded when it runs: `weir --help` and `weir --version` load none of it.

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

function addPublish(program: Command): void {
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
}

function addSubscribe(program: Command): void {
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
}

function addRequest(program: Command): void {
  const request = withHeaders(withConnection(program.command('req').argument('<subject>').argument('[payload]')))
    .description('send a request and print its reply')
    .option('--timeout <ms>', 'how long to wait for the reply', whole(1), 5_000)
    .option('--raw', 'print the payload only')
    .option('--headers', 'print headers too')
    .option('--json', 'print the reply as a line of JSON')
    .action(async (subject, payload, options) => (await import('./request.js')).request(subject, payload, options));
  examples(request, 'weir req time.now', "weir req '$WEIR.API.PLUGIN.LIST'", 'echo 21.5 | weir req convert.fahrenheit');
}

function addDemo(program: Command): void {
  const demo = program
    .command('demo')
    .description('see a broker, real weather measurements and four plugins at work on this machine')
    .option('--messages <n>', 'end after so many messages of the feed (default: stay up until Ctrl-C)', whole(1))
    .action(async (options) => (await import('./demo/demo.js')).demo(options));
  examples(demo, 'weir demo', 'weir demo --messages 100');
}

function addCompletion(program: Command): void {
  const completion = program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print what makes a shell complete commands and options')
    .action(async (shell) => (await import('./completion.js')).completion(program, shell));
  examples(completion, 'eval "$(weir completion bash)"', 'weir completion fish > ~/.config/fish/completions/weir.fish');
}

/** The `weir` command line. */
export function createProgram(): Command {
  const program = new Command('weir')
    .description('A NATS-compatible message broker that runs your WebAssembly inside the message path.')
    .version(`weir ${WEIR_VERSION}`, '-v, --version')
    // Else `--version` of a command that has no such option would end there.
    .enablePositionalOptions();
  examples(
    program,
    'weir demo',
    'weir serve -p 4222',
    "weir sub 'sensors.>'",
    'weir pub sensors.kitchen 21.5',
    'weir plugin new my-filter',
  );
  addServe(program);
  addPublish(program);
  addSubscribe(program);
  addRequest(program);
  addPlugin(program);
  addDemo(program);
  addCompletion(program);
  refuseInOneLine(program);
  return program;
}
