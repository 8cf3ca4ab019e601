import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Failure } from '../../base/failure.js';

/** One day at Seattle's weather station. */
export interface WeatherReading {
  station: string;
  date: string;
  /** Millimetres. */
  precipitation: number;
  /** Degrees Celsius. */
  temp_max: number;
  temp_min: number;
  /** Metres per second. */
  wind: number;
  weather: string;
}

const station = 'SEA';

function dataFile(): string {
  try {
    const entry = createRequire(import.meta.url).resolve('vega-datasets');
    return join(dirname(entry), '..', 'data', 'seattle-weather.csv');
  } catch (error) {
    throw new Failure(
      'demo-data',
      'the demo feeds real measurements from the package vega-datasets, which is not installed here: run the demo from a clone of Weir (npm start)',
      { cause: error },
    );
  }
}

/** Rows of a CSV without quotes as objects; numbers where the text is one. */
function parseCsv(text: string): Record<string, string | number>[] {
  const [head = '', ...lines] = text.trim().split(/\r?\n/);
  const names = head.split(',');
  return lines.map((line) =>
    Object.fromEntries(
      line.split(',').map((cell, i) => [names[i], cell !== '' && Number.isFinite(Number(cell)) ? Number(cell) : cell]),
    ),
  );
}

/** Four years of daily weather in Seattle, 2012 to 2015, as the NOAA measured it. */
export function readWeather(): WeatherReading[] {
  return parseCsv(readFileSync(dataFile(), 'utf8')).map((row) => ({ station, ...row }) as unknown as WeatherReading);
}
