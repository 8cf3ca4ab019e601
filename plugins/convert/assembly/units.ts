// Units by their symbol: value in the base unit = value * scale + offset.

class Unit {
  constructor(
    readonly quantity: string,
    readonly scale: f64,
    readonly offset: f64,
  ) {}
}

const units: Map<string, Unit> = new Map();

function add(quantity: string, symbol: string, scale: f64, offset: f64 = 0): void {
  units.set(symbol, new Unit(quantity, scale, offset));
}

// Base: kelvin.
add('temperature', 'K', 1);
add('temperature', 'C', 1, 273.15);
add('temperature', '°C', 1, 273.15);
add('temperature', 'F', 5.0 / 9.0, 459.67 * 5.0 / 9.0);
add('temperature', '°F', 5.0 / 9.0, 459.67 * 5.0 / 9.0);
// Base: metre.
add('length', 'mm', 0.001);
add('length', 'cm', 0.01);
add('length', 'm', 1);
add('length', 'km', 1000);
add('length', 'in', 0.0254);
add('length', 'ft', 0.3048);
add('length', 'yd', 0.9144);
add('length', 'mi', 1609.344);
add('length', 'nmi', 1852);
// Base: metre per second.
add('speed', 'm/s', 1);
add('speed', 'km/h', 1.0 / 3.6);
add('speed', 'mph', 0.44704);
add('speed', 'kn', 1852.0 / 3600.0);
add('speed', 'ft/s', 0.3048);
// Base: pascal.
add('pressure', 'Pa', 1);
add('pressure', 'hPa', 100);
add('pressure', 'mbar', 100);
add('pressure', 'kPa', 1000);
add('pressure', 'bar', 100000);
add('pressure', 'psi', 6894.757293168);
add('pressure', 'atm', 101325);
add('pressure', 'mmHg', 133.322387415);
// Base: kilogram.
add('mass', 'g', 0.001);
add('mass', 'kg', 1);
add('mass', 't', 1000);
add('mass', 'oz', 0.028349523125);
add('mass', 'lb', 0.45359237);
// Base: litre.
add('volume', 'mL', 0.001);
add('volume', 'L', 1);
add('volume', 'm3', 1000);
add('volume', 'gal', 3.785411784);
// Base: joule.
add('energy', 'J', 1);
add('energy', 'kJ', 1000);
add('energy', 'Wh', 3600);
add('energy', 'kWh', 3600000);
// Base: watt.
add('power', 'W', 1);
add('power', 'kW', 1000);
add('power', 'MW', 1000000);
add('power', 'hp', 745.6998715822702);
// Base: second.
add('time', 'ms', 0.001);
add('time', 's', 1);
add('time', 'min', 60);
add('time', 'h', 3600);
add('time', 'd', 86400);
// Base: degree.
add('angle', 'deg', 1);
add('angle', 'rad', 180.0 / Math.PI);

/** What a unit measures; empty when there is no such unit. */
export function quantityOf(symbol: string): string {
  return units.has(symbol) ? units.get(symbol).quantity : '';
}

export function scaleOf(symbol: string): f64 {
  return units.get(symbol).scale;
}

export function offsetOf(symbol: string): f64 {
  return units.get(symbol).offset;
}
