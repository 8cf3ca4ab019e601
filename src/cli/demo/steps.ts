import { readFileSync } from 'node:fs';
import type { NatsConnection } from '@nats-io/transport-node';
import { callApi } from '../api-client.js';
import { installModule } from '../plugin-install.js';
import { bundledPluginFile } from '../plugin-module.js';

/** Where the feed publishes. */
export const weatherSubject = 'weather.seattle';
/** What the plugins are attached to, and what the demo watches. */
export const watchedFilter = 'weather.>';

/** One attachment of the demo. */
export interface Step {
  name: string;
  plugin: string;
  /** What it does, for the one who watches. */
  says: string;
  phase: string;
  order: number;
  config: object;
}

/** In the order in which they run. */
export const steps: readonly Step[] = [
  {
    name: 'wet-days',
    plugin: 'threshold',
    says: 'drops the days without rain or snow',
    phase: 'validate',
    order: 1,
    config: { field: 'precipitation', above: 0 },
  },
  {
    name: 'less',
    plugin: 'pick',
    says: 'keeps five of the seven fields',
    phase: 'transform',
    order: 1,
    config: { fields: ['station', 'date', 'precipitation', 'temp_max', 'wind'] },
  },
  {
    name: 'fahrenheit',
    plugin: 'convert',
    says: 'turns °C into °F',
    phase: 'transform',
    order: 2,
    config: { field: 'temp_max', from: 'C', to: 'F' },
  },
  {
    name: 'place',
    plugin: 'enrich',
    says: "adds the station's place from a table",
    phase: 'enrich',
    order: 1,
    config: { key: 'station', table: { SEA: { place: 'Seattle' } } },
  },
];

/** Installs and attaches everything, by the requests that any client can send. */
export async function attachSteps(connection: NatsConnection): Promise<void> {
  for (const { name, plugin, phase, order, config } of steps) {
    await installModule(connection, plugin, readFileSync(bundledPluginFile(plugin)));
    const definition = { plugin, subject: watchedFilter, phase, order, config };
    await callApi(connection, `ATTACHMENT.CREATE.${name}`, JSON.stringify(definition));
  }
}
