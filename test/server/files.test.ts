import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removePidFile, writePidFile } from '../../src/server/pid-file.js';
import { portsFilePath, removePortsFile, writePortsFile } from '../../src/server/ports-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the pid file', () => {
  it('holds the id and nothing else, and goes away', () => {
    const path = join(folder, 'weir.pid');
    writeFileSync(path, 'stale');
    writePidFile(path);
    expect(readFileSync(path, 'utf8')).toBe(String(process.pid));
    expect(readdirSync(folder)).toEqual(['weir.pid']);
    removePidFile(path);
    expect(existsSync(path)).toBe(false);
    removePidFile(path);
  });

  it("leaves a successor's file alone", () => {
    const path = join(folder, 'weir.pid');
    writeFileSync(path, '1');
    removePidFile(path);
    expect(readFileSync(path, 'utf8')).toBe('1');
  });

  it('says why it cannot be written', () => {
    const path = join(folder, 'missing', 'weir.pid');
    expect(() => writePidFile(path)).toThrow(/^Could not write pidfile: ENOENT.*missing/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('the ports file', () => {
  it('is named after executable and process, and lists what is on', () => {
    const path = portsFilePath(folder, 'nats-server');
    expect(basename(path)).toBe(`nats-server_${process.pid}.ports`);
    writePortsFile(path, { websocket: [], monitoring: ['http://127.0.0.1:8222'], nats: ['nats://127.0.0.1:4222'] });
    expect(readFileSync(path, 'utf8')).toBe(
      '{"nats":["nats://127.0.0.1:4222"],"monitoring":["http://127.0.0.1:8222"]}',
    );
    expect(readdirSync(folder)).toHaveLength(1);
    removePortsFile(path);
    removePortsFile(path);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says why it cannot be written', () => {
    const path = portsFilePath(join(folder, 'missing'), 'weir');
    expect(() => writePortsFile(path, {})).toThrow(`Error writing ports file (${path}): ENOENT`);
  });
});
