import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultOptions } from '../../src/config/options.js';
import { openLog } from '../../src/server/log-open.js';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-log-'));
  file = join(folder, 'weir.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(sizeBytesMax = 0, filesMax = 0, format: 'text' | 'json' = 'text') {
  return openLog({ ...defaultOptions().log, format, file, sizeBytesMax, filesMax, time: false });
}

describe('the log file', () => {
  it('appends to what is there', async () => {
    for (const text of ['first', 'second']) {
      const { logger, sink } = await open();
      logger.info(text);
      sink.close();
    }
    expect(readFileSync(file, 'utf8')).toBe(`[${process.pid}] [INF] first\n[${process.pid}] [INF] second\n`);
  });

  it('is put aside when it is larger than its limit', async () => {
    const { logger, sink } = await open(400);
    logger.info('x'.repeat(420));
    logger.info('after');
    sink.close();
    const backups = readdirSync(folder).filter((name) => name !== 'weir.log');
    expect(backups).toHaveLength(1);
    expect(backups[0]).toMatch(/^weir\.log\.\d{4}\.\d\d\.\d\d\.\d\d\.\d\d\.\d\d\.\d{9}$/);
    expect(readFileSync(join(folder, backups[0]!), 'utf8')).toContain('x'.repeat(420));
    expect(readFileSync(file, 'utf8')).toBe(
      `[${process.pid}] [INF] Rotated log, backup saved as "${join(folder, backups[0]!)}"\n[${process.pid}] [INF] after\n`,
    );
  });

  it('keeps as many files as it was told', async () => {
    const { logger, sink } = await open(300, 3);
    for (let i = 0; i < 8; i++) logger.info(`${i}`.repeat(320));
    sink.close();
    const kept = readdirSync(folder).sort();
    expect(kept).toHaveLength(3);
    const texts = kept.filter((name) => name !== 'weir.log').map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(texts[0]).toContain('6'.repeat(320));
    expect(texts[1]).toContain('7'.repeat(320));
  });

  it('is opened again by its name after another program has moved it', async () => {
    const { logger, sink } = await open();
    logger.info('before');
    renameSync(file, join(folder, 'moved.log'));
    logger.info('still the moved file');
    expect(sink.reopen()).toBe(true);
    logger.info('after');
    sink.close();
    expect(readFileSync(join(folder, 'moved.log'), 'utf8')).toContain('still the moved file');
    expect(readFileSync(file, 'utf8')).toBe(`[${process.pid}] [INF] after\n`);
  });

  it('takes JSON lines and rotates them', async () => {
    const { logger, sink } = await open(100, 0, 'json');
    logger.info('y'.repeat(120));
    sink.close();
    expect(readdirSync(folder)).toHaveLength(2);
    // The line about the rotation is itself larger than the limit, and is not rotated in turn.
    expect(JSON.parse(readFileSync(file, 'utf8')).msg).toContain('Rotated log');
  });

  it('says which file cannot be opened', async () => {
    file = join(folder, 'no', 'such', 'folder.log');
    await expect(open()).rejects.toMatchObject({ code: 'log_file', message: expect.stringContaining(`"${file}"`) });
  });
});
