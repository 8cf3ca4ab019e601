import type { Command } from 'commander';
import { withConnection } from './connection.js';
import { examples, real, whole } from './usage.js';

const attachmentArgument = 'as listed by weir plugin ls';

function addVersions(plugin: Command): void {
  const swap = withConnection(plugin.command('swap').argument('<attachment>', attachmentArgument))
    .description('go on with another version or configuration, between two messages; what the plugin saved moves over')
    .option('--to <version>', 'number of the version (default: the newest)', whole(1))
    .option('--config <json>', 'another configuration: JSON, or @file')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-control.js')).swap(name, options));
  examples(
    swap,
    'weir plugin swap noise',
    'weir plugin swap noise --to 3',
    'weir plugin swap noise --config \'{"limit": 5}\'',
  );

  const rollback = withConnection(plugin.command('rollback').argument('<attachment>', attachmentArgument))
    .description('go back to the version and configuration before the present ones')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-control.js')).rollBack(name, options));
  examples(rollback, 'weir plugin rollback noise');

  const budget = withConnection(plugin.command('budget').argument('<attachment>', attachmentArgument))
    .description('change what a plugin may use, while it runs')
    .option('--fuel <n>', 'fuel for one message', whole(1))
    .option('--memory <bytes>', 'memory of the plugin', whole(1))
    .option('--output <bytes>', 'output for one message', whole(0))
    .option('--emits <n>', 'further messages that it may emit for one', whole(0))
    .option('--messages <n>', 'messages per second', whole(1))
    .option('--bytes <n>', 'bytes per second', whole(1))
    .option('--cpu <share>', 'share of a processor: 0.25 is a quarter of each second', real)
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-control.js')).setBudget(name, options));
  examples(budget, 'weir plugin budget noise --fuel 200000', 'weir plugin budget noise --messages 1000 --cpu 0.1');
}

function addTrials(plugin: Command): void {
  const trial = (name: 'canary' | 'shadow', text: string) =>
    withConnection(plugin.command(name).argument('<attachment>', attachmentArgument))
      .description(text)
      .option('--to <version>', 'number of the version (default: the newest)', whole(1))
      .option('--config <json>', 'another configuration: JSON, or @file')
      .option('--stop', 'end it, and say what came of it')
      .option('--json', 'print JSON')
      .action(async (attachment, options) => (await import('./plugin-control.js')).tryOut(name, attachment, options));
  const canary = trial(
    'canary',
    'let another version judge the messages of some subjects; weir plugin swap takes it over',
  ).option('--share <n>', 'of the subjects, by their hash: 0.1 is a tenth', real);
  examples(canary, 'weir plugin canary noise --share 0.05', 'weir plugin canary noise --stop');

  const shadow = trial(
    'shadow',
    'let another version see the same messages; differences are counted, and change nothing',
  );
  examples(shadow, 'weir plugin shadow noise --to 4', 'weir plugin shadow noise --stop');

  const backtest = withConnection(
    plugin
      .command('backtest')
      .argument(
        '<module>',
        '.wasm file, plugin folder or bundled plugin; with --stream an installed plugin, such as noise@4',
      )
      .argument('[messages]', 'file of messages, as weir sub --json prints them'),
  )
    .description('call a plugin on messages that were kept, and show what comes out otherwise than with another one')
    .option(
      '--against <module>',
      'the module (with --stream the version) to compare with; without it, verdicts are counted',
    )
    .option('--stream <name>', 'a stream of the server, which calls the plugin itself')
    .option(
      '--attachment <name>',
      "compare with an attachment's version, with its configuration, budget, table and subject",
    )
    .option('--last <n>', 'only so many of the last messages (default: 1000, or all with --since)', whole(1))
    .option('--since <when>', 'only messages since then: 15m, 2h, 1d, or a time')
    .option('--filter <subject>', 'only messages of these subjects')
    .option('--config <json>', 'configuration of both: JSON, or @file')
    .option('--json', 'print JSON')
    .action(async (module, file, options) => (await import('./plugin-backtest.js')).backtest(module, file, options));
  examples(
    backtest,
    'weir plugin backtest noise --stream SENSORS --attachment noise',
    "weir plugin backtest noise@4 --against 3 --stream SENSORS --since 2h --filter 'sensors.attic.>'",
    "weir sub 'sensors.>' --json --count 10000 > sensors.ndjson",
    'weir plugin backtest ./noise sensors.ndjson --against noise.old.wasm --config @config.json',
  );
}

function addFailures(plugin: Command): void {
  const redeliver = withConnection(plugin.command('redeliver').argument('<attachment>', attachmentArgument))
    .description('publish the messages that became dead letters once more, as when the plugin was mended')
    .option('--stream <name>', 'those that a stream of "$WEIR.DEAD.>" keeps, and not those in memory')
    .option('--json', 'print JSON')
    .action(async (name, options) => (await import('./plugin-control.js')).redeliver(name, options));
  examples(
    redeliver,
    'weir plugin swap noise && weir plugin redeliver noise',
    'weir plugin redeliver noise --stream DEAD',
  );

  const capsule = withConnection(plugin.command('capsule').argument('<attachment>', attachmentArgument))
    .description('print the last frames that failed, with configuration and state, as JSON')
    .action(async (name, options) => (await import('./plugin-replay.js')).capsule(name, options));
  examples(capsule, 'weir plugin capsule noise > noise.capsule.json');

  const replay = withConnection(plugin.command('replay').argument('<attachment>', 'or the file of a capsule'))
    .description('call a module on this machine with the frames that failed; ends with 1 when one still fails')
    .option('--module <module>', ".wasm file, plugin folder or bundled plugin (default: the plugin's name)")
    .option('--json', 'print JSON')
    .action(async (source, options) => (await import('./plugin-replay.js')).replay(source, options));
  examples(
    replay,
    'weir plugin replay noise --module ./noise',
    'weir plugin replay noise.capsule.json --module ./noise',
  );
}

function addWatching(plugin: Command): void {
  const top = withConnection(plugin.command('top'))
    .description('show what attachments do, busiest first, again and again until Ctrl-C')
    .option('--interval <ms>', 'time between two looks', whole(50), 1_000)
    .option('--count <n>', 'end after so many looks', whole(1))
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./plugin-watch.js')).top(options));
  examples(top, 'weir plugin top', 'weir plugin top --count 1 --json');

  const logs = withConnection(plugin.command('logs').argument('[attachment]', 'all of them when left out'))
    .description('print what plugins write to their logs, until Ctrl-C; they need the grant log')
    .option('-f, --follow', 'as it is without: nothing is kept, so there is nothing before')
    .option('--count <n>', 'end after so many lines', whole(1))
    .option('--json', 'print a line of JSON for each')
    .action(async (name, options) => (await import('./plugin-watch.js')).logs(name, options));
  examples(logs, 'weir plugin logs', 'weir plugin logs noise --count 10');

  const events = withConnection(plugin.command('events').argument('[attachment]', 'all of them when left out'))
    .description('print what becomes of attachments (attached, swapped, quarantined, rolled back, …), until Ctrl-C')
    .option('--count <n>', 'end after so many events', whole(1))
    .option('--json', 'print a line of JSON for each')
    .action(async (name, options) => (await import('./plugin-watch.js')).events(name, options));
  examples(events, 'weir plugin events', 'weir plugin events noise --json');
}

/** Adds the commands for attachments that run. */
export function addControl(plugin: Command): void {
  addVersions(plugin);
  addTrials(plugin);
  addFailures(plugin);
  addWatching(plugin);
}
