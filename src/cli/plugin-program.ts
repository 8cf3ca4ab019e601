import { type Command, Option } from 'commander';
import { PHASES, STAGES } from '../host/declarations.js';
import { FAULT_CAUSES } from '../sandbox/fault.js';
import { withConnection } from './connection.js';
import { addControl } from './plugin-program-control.js';
import { collect, examples, real, whole } from './usage.js';

function addAuthoring(plugin: Command): void {
  const create = plugin
    .command('new')
    .argument('<folder>', "folder to make; its name becomes the plugin's")
    .description('make a folder with a plugin that builds and passes its tests')
    .option(
      '--lang <language>',
      'assemblyscript, or javascript-component for a component with a JavaScript engine',
      'assemblyscript',
    )
    .option('--json', 'print JSON')
    .action(async (folder, options) => (await import('./plugin-new.js')).createPlugin(folder, options));
  examples(create, 'weir plugin new door-filter', 'weir plugin build door-filter && weir plugin test door-filter');

  const build = plugin
    .command('build')
    .argument('[folder]', 'folder of the plugin', '.')
    .description('compile the source of a folder to build/<folder>.wasm, and check the module')
    .option('--json', 'print JSON')
    .action(async (folder, options) => (await import('./plugin-build.js')).buildPlugin(folder, options));
  examples(build, 'weir plugin build', 'weir plugin build door-filter');

  const test = plugin
    .command('test')
    .argument('[plugin]', 'folder of the plugin, or .wasm file', '.')
    .description("build a folder, and run the cases of tests/*.json on the broker's own engine")
    .option('--json', 'print JSON')
    .action(async (folder, options) => (await import('./plugin-test.js')).testPlugin(folder, options));
  examples(test, 'weir plugin test', 'weir plugin test door-filter --json');

  const check = plugin
    .command('check')
    .argument('[plugin]', 'folder of the plugin, or .wasm file', '.')
    .description('build a folder, and show what the plugin uses of each limit')
    .option('--json', 'print JSON')
    .action(async (folder, options) => (await import('./plugin-check.js')).checkPlugin(folder, options));
  examples(check, 'weir plugin check', 'weir plugin check door-filter --json');

  const bench = plugin
    .command('bench')
    .argument('[plugin]', 'folder of the plugin, or .wasm file', '.')
    .description('build a folder, and time the cases of tests/*.json')
    .option('--json', 'print JSON')
    .action(async (folder, options) => (await import('./plugin-check.js')).benchPlugin(folder, options));
  examples(bench, 'weir plugin bench', 'weir plugin bench door-filter --json');

  const inspect = plugin
    .command('inspect')
    .argument('<module>', '.wasm file, plugin folder or bundled plugin')
    .description('say what a module is: size, digest, memory, hooks, manifest')
    .option('--json', 'print JSON')
    .action(async (module, options) => (await import('./plugin-check.js')).inspect(module, options));
  examples(inspect, 'weir plugin inspect door-filter', 'weir plugin inspect threshold --json');
}

function addSigning(plugin: Command): void {
  const key = plugin
    .command('key')
    .argument('<file>', 'new file for the secret seed')
    .description('make a key for signing modules')
    .option('--json', 'print JSON')
    .action(async (file, options) => (await import('./plugin-sign.js')).makeKey(file, options));
  examples(key, 'weir plugin key release.key');

  const sign = plugin
    .command('sign')
    .argument('<module>', '.wasm file, plugin folder or bundled plugin')
    .description('sign a module: servers with trusted_keys take no others')
    .requiredOption('--key <file>', 'file with the secret seed')
    .option('--out <file>', 'where the signed module goes (default: in place)')
    .option('--json', 'print JSON')
    .action(async (module, options) => (await import('./plugin-sign.js')).sign(module, options));
  examples(sign, 'weir plugin sign door-filter --key release.key');
}

function addInstall(plugin: Command): void {
  const install = withConnection(
    plugin.command('install').argument('<module>', '.wasm file, plugin folder or bundled plugin'),
  )
    .description('install a module as a new version of a plugin; the same bytes again are the version they already are')
    .option('--name <name>', "the plugin's name (default: the file's)")
    .option('--json', 'print JSON')
    .action(async (source, options) => (await import('./plugin-install.js')).install(source, options));
  examples(
    install,
    'weir plugin install door-filter',
    'weir plugin install build/filter.wasm --name door-filter',
    'weir plugin install threshold',
  );
}

/** What an attachment is, beside plugin and subject. */
function withDefinition(command: Command): Command {
  const causes = FAULT_CAUSES.join(', ');
  return command
    .option('--name <name>', "the attachment's name (default: the plugin's)")
    .addOption(new Option('--stage <stage>', 'where it runs (default: publish)').choices(STAGES))
    .option('--for-subscription <filter>', 'at the stage deliver: only for subscriptions that this covers')
    .option('--for-queue <group>', 'at the stage deliver: only for this queue group')
    .option('--for-user <user>', 'at the stage deliver: only for this user')
    .option('--for-stream <stream>', 'at the stage deliver: only what consumers of this stream give')
    .option('--for-consumer <consumer>', 'at the stage deliver: only what this consumer of the stream gives')
    .addOption(new Option('--phase <phase>', 'when it runs in a chain (default: transform)').choices(PHASES))
    .option('--order <n>', 'order within the phase, smallest first (default: 0)', real)
    .option('--config <json>', 'configuration of the plugin: JSON, or @file')
    .option('--tick <ms>', "time between ticks (default: the plugin's)", whole(10))
    .option('--fuel <n>', 'fuel for one message, about one unit an instruction', whole(1))
    .option('--memory <bytes>', 'memory of the plugin', whole(1))
    .option('--output <bytes>', 'output for one message', whole(0))
    .option('--tier <tier>', 'where it runs: loop, or worker for a thread beside the event loop')
    .option('--metering <on|off>', 'off: no fuel, time ends a call; only in the tier worker')
    .option('--watchdog <ms>', 'in the tier worker: what one call may take', whole(1))
    .option('--emits <n>', 'further messages that it may emit for one', whole(0))
    .option('--grant-emit <filter>', 'subjects it may emit to; can be given several times', collect, [])
    .option('--grant-log', 'it may write log lines')
    .option('--grant-metric', 'it may report metrics')
    .option('--grant-state', 'what it saves of itself outlives its instance')
    .option('--table <json>', 'entries that it looks up, by their keys: JSON, or @file')
    .option('--table-bucket <bucket>', 'a key-value bucket whose entries it looks up, as they are at any time')
    .option('--table-keys <filter>', 'which keys of the bucket (default: all of them)')
    .option(
      '--on-fault <action>',
      `what becomes of a message when it fails: reject, dead-letter, drop, pass or bypass-chain; or <cause>=<action> with the cause ${causes}; can be given several times`,
      collect,
      [],
    )
    .option('--force', 'allow "pass" in the phases authorize and validate, and do without grants')
    .option('--json', 'print JSON');
}

function addAttach(plugin: Command): void {
  const attach = withDefinition(
    withConnection(
      plugin.command('attach').argument('<plugin>', 'name or name@version').argument('<subject>', 'subject filter'),
    ),
  )
    .description('run a plugin on every message published to a subject')
    .option('--replace', 'replace an attachment of this name')
    .action(async (name, subject, options) => (await import('./plugin-attach.js')).attach(name, subject, options));
  examples(
    attach,
    "weir plugin attach door-filter 'doors.>'",
    'weir plugin attach threshold@2 \'sensors.*\' --name noise --config \'{"field": "wind", "above": 3}\'',
    'weir plugin attach pick \'orders.>\' --stage deliver --for-user guest --config \'{"remove": ["card"]}\'',
    "weir plugin attach split 'batches.>' --grant-emit 'items.>' --on-fault fuel=drop",
  );

  const detach = withConnection(plugin.command('detach').argument('<attachment>', 'as listed by weir plugin ls'))
    .description('end an attachment; its plugin stays installed')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-attach.js')).detach(name, options));
  examples(detach, 'weir plugin detach noise');
}

function addDev(plugin: Command): void {
  const dev = withDefinition(
    withConnection(
      plugin.command('dev').argument('<folder>', 'folder of the plugin').argument('<subject>', 'subject filter'),
    ),
  )
    .description('build a plugin and put it to work, at once and after every save, until Ctrl-C')
    .action(async (folder, subject, options) => (await import('./plugin-dev.js')).dev(folder, subject, options));
  examples(dev, "weir plugin dev door-filter 'doors.>'", "weir plugin dev . 'doors.>' --config @config.json");
}

function addListing(plugin: Command): void {
  const list = withConnection(plugin.command('ls'))
    .description('list plugins and attachments, with what each did so far')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./plugin-list.js')).list(options));
  examples(list, 'weir plugin ls', 'weir plugin ls --json | jq .attachments');

  const info = withConnection(plugin.command('info').argument('<name>', 'plugin or attachment'))
    .description('show a plugin, its versions, and its attachments with their counters')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-list.js')).info(name, options));
  examples(info, 'weir plugin info threshold');

  const remove = withConnection(plugin.command('rm').argument('<plugin>'))
    .description('remove a plugin and all its versions; it must not be attached')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-list.js')).remove(name, options));
  examples(remove, 'weir plugin rm door-filter');
}

/** Adds `weir plugin …`. */
export function addPlugin(program: Command): void {
  const plugin = program.command('plugin').description('make, test, install and attach plugins');
  addAuthoring(plugin);
  addSigning(plugin);
  addInstall(plugin);
  addAttach(plugin);
  addDev(plugin);
  addListing(plugin);
  addControl(plugin);
  examples(
    plugin,
    'weir plugin new door-filter',
    'weir plugin test door-filter',
    'weir plugin install door-filter',
    "weir plugin attach door-filter 'doors.>'",
  );
}
