import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface MicroFigure {
  name: string;
  ns: number;
  note?: string;
}

const FOLDER = new URL('.', import.meta.url);

/** Runs every module of bench/micro, each in the order of its name; scripts/bench.mjs has put them beside this file. */
export async function runMicro(note: (text: string) => void): Promise<MicroFigure[]> {
  const figures: MicroFigure[] = [];
  const files = readdirSync(fileURLToPath(FOLDER)).filter((name) => /^micro-.*\.js$/.test(name));
  for (const file of files.sort()) {
    note(file.slice('micro-'.length, -'.js'.length));
    const module = (await import(new URL(file, FOLDER).href)) as { benches(): Promise<MicroFigure[]> };
    figures.push(...(await module.benches()));
  }
  return figures;
}
