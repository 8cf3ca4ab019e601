import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { describe } from '../base/failure.js';
import type { AttachmentSnapshot } from '../host/snapshot.js';
import { callApi } from './api-client.js';
import { openConnection } from './connection.js';
import { type AttachOptions, attachmentDefinition } from './plugin-attach.js';
import { buildFolder } from './plugin-build.js';
import { checkHasSource, isJavaScript, type PluginFolder, pluginFolder } from './plugin-folder.js';
import { installModule } from './plugin-install.js';
import { printLine } from './print.js';

/** Editors write a file more than once. */
const QUIET_MS = 50;

interface Round {
  build_ms: number;
  swap_ms: number;
  version: number;
}

/** One thing after another: a save during a build is another round after it. */
class Loop {
  private readonly run: () => Promise<void>;
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private again = false;

  constructor(run: () => Promise<void>) {
    this.run = run;
  }

  /** Runs soon, once for all that is asked until then. */
  ask(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.running === null) this.running = this.go();
      else this.again = true;
    }, QUIET_MS);
  }

  async end(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.again = false;
    await this.running;
  }

  private async go(): Promise<void> {
    do {
      this.again = false;
      await this.run();
    } while (this.again);
    this.running = null;
  }
}

/** Builds a plugin's folder and puts it to work on a subject, at once and after every save, until Ctrl-C. */
export async function dev(typed: string, subject: string, options: AttachOptions): Promise<void> {
  const folder = pluginFolder(typed);
  checkHasSource(folder);
  const connection = await openConnection(options, true);
  const name = options.name ?? folder.name;
  const definition = attachmentDefinition(folder.name, subject, { ...options, replace: true });
  const round = async () => {
    try {
      const done = await deploy(connection, folder, { name, definition });
      if (options.json) printLine(JSON.stringify({ attachment: name, ...done }));
      else
        printLine(`${name} runs version ${done.version} (built in ${done.build_ms} ms, swapped in ${done.swap_ms} ms)`);
    } catch (error) {
      // What ran before goes on; the next save may mend it.
      if (options.json) printLine(JSON.stringify({ attachment: name, error: describe(error) }));
      else printLine(describe(error));
    }
  };
  await round();
  const loop = new Loop(round);
  const watchers = watchSources(folder, () => loop.ask());
  process.stderr.write(`watching ${typed}; Ctrl-C ends\n`);
  await new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  for (const watcher of watchers) watcher.close();
  await loop.end();
  await connection.close();
}

/** Whatever a build reads. */
function watchSources(folder: PluginFolder, onChange: () => void): FSWatcher[] {
  const files = watch(folder.path, (_, file) => {
    if (file === 'plugin.json' || file === 'plugin.js') onChange();
  });
  return isJavaScript(folder) ? [files] : [files, watch(join(folder.path, 'assembly'), { recursive: true }, onChange)];
}

async function deploy(
  connection: NatsConnection,
  folder: PluginFolder,
  { name, definition }: { name: string; definition: object },
): Promise<Round> {
  const startedMs = performance.now();
  await buildFolder(folder);
  const builtMs = performance.now();
  await installModule(connection, folder.name, readFileSync(folder.moduleFile));
  const { attachment } = await callApi<{ attachment: AttachmentSnapshot }>(
    connection,
    `ATTACHMENT.CREATE.${name}`,
    JSON.stringify(definition),
  );
  return {
    build_ms: Math.round(builtMs - startedMs),
    swap_ms: Math.round(performance.now() - builtMs),
    version: attachment.version,
  };
}
