// Converts numbers: from one unit to another, or by scale and offset.
import { Json, Kind, Message, Path, refuse, Value, Verdict } from 'weir/plugin';
import { allowKeys, answer, policy } from 'weir/policy';
import { offsetOf, quantityOf, scaleOf } from './units';

/** Enough for any sensor, and little enough to hide what binary fractions add. */
const DECIMALS: i32 = 6;
const DECIMALS_MAX: f64 = 15;

class Conversion {
  constructor(
    readonly from: Path,
    readonly to: Path,
    /** Whether the two are the same. */
    readonly inPlace: bool,
    readonly scale: f64,
    readonly offset: f64,
    readonly decimals: i32,
  ) {}
}

const conversions: Conversion[] = [];
let strict: bool = false;
let missing: Verdict = Verdict.Pass;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['field', 'from', 'to', 'scale', 'offset', 'decimals', 'target', 'conversions', 'strict', 'missing', 'invalid']);
  strict = config.isTrue('strict');
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
  if (config.kind('conversions') == Kind.Array) {
    for (let i = 0; i < config.length('conversions'); i++) readConversion(config, `conversions.${i}.`);
  } else if (config.has('conversions')) refuse('"conversions" is not a list');
  if (config.has('field')) readConversion(config, '');
  if (conversions.length == 0) refuse('there is nothing to convert: expected "field", or a list "conversions" of objects with one');
}

// What is done for every message holds no strings: see the SDK's README.
export function onMessage(message: Message): Verdict {
  const json = message.json;
  if (strict && !json.valid) return judgeInvalid(json);
  let verdict = Verdict.Pass;
  for (let i = 0; i < conversions.length; i++) {
    const conversion = unchecked(conversions[i]);
    const found = json.peek(conversion.from);
    if (found.kind == Kind.Number) {
      if (!write(json, conversion, found)) return judgeNoPlace(conversion);
      verdict = Verdict.Replace;
    } else {
      const judged = judgeOther(json, conversion, found.kind);
      if (judged != Verdict.Pass || !json.valid) return judged;
    }
  }
  return verdict;
}

function write(json: Json, conversion: Conversion, found: Value): bool {
  const value = found.number * conversion.scale + conversion.offset;
  if (conversion.inPlace) json.replaceNumber(found, value, conversion.decimals);
  else return json.setNumberAt(conversion.to, value, conversion.decimals);
  return true;
}

function judgeOther(json: Json, conversion: Conversion, kind: Kind): Verdict {
  if (!json.valid) return judgeInvalid(json);
  if (kind != Kind.Missing && kind != Kind.Null) return answer(invalid, `"${conversion.from.text}" is not a number`);
  return answer(missing, `there is no "${conversion.from.text}"`);
}

function judgeInvalid(json: Json): Verdict {
  return answer(invalid, `the payload is not JSON: ${json.problem}`);
}

function judgeNoPlace(conversion: Conversion): Verdict {
  return answer(Verdict.Fail, `there is no place for "${conversion.to.text}"`);
}

function readConversion(config: Json, at: string): void {
  const field = config.text(`${at}field`);
  if (field == '') return refuse(`"${at}field" is missing: expected the path of a number`);
  const target = config.has(`${at}target`) ? config.text(`${at}target`) : field;
  if (target == '') return refuse(`"${at}target" is ${config.raw(`${at}target`)}: expected the path of a field`);
  let scale: f64 = 1;
  let offset: f64 = 0;
  if (config.has(`${at}from`) || config.has(`${at}to`)) {
    const from = unit(config, `${at}from`);
    const to = unit(config, `${at}to`);
    if (from == '' || to == '') return;
    if (quantityOf(from) != quantityOf(to)) {
      return refuse(`"${from}" is a unit of ${quantityOf(from)} and "${to}" one of ${quantityOf(to)}: expected two of the same`);
    }
    scale = scaleOf(from) / scaleOf(to);
    offset = (offsetOf(from) - offsetOf(to)) / scaleOf(to);
  } else if (!config.has(`${at}scale`) && !config.has(`${at}offset`)) {
    return refuse(`"${field}" is to become nothing else: expected "from" and "to", or "scale" or "offset"`);
  }
  scale *= number(config, `${at}scale`, 1);
  offset = offset * number(config, `${at}scale`, 1) + number(config, `${at}offset`, 0);
  const decimals = number(config, `${at}decimals`, DECIMALS);
  if (decimals != Math.trunc(decimals) || decimals < 0 || decimals > DECIMALS_MAX) {
    return refuse(`"${at}decimals" is ${config.raw(`${at}decimals`)}: expected a whole number from 0 to ${DECIMALS_MAX}`);
  }
  conversions.push(new Conversion(new Path(field), new Path(target), target == field, scale, offset, <i32>decimals));
}

/** The name of a unit, or empty after a refusal. */
function unit(config: Json, key: string): string {
  const name = config.text(key);
  if (name != '' && quantityOf(name) != '') return name;
  refuse(config.has(key) ? `"${key}" is ${config.raw(key)}, which is no known unit` : `"${key}" is missing: expected a unit`);
  return '';
}

function number(config: Json, key: string, otherwise: f64): f64 {
  if (!config.has(key)) return otherwise;
  if (config.kind(key) != Kind.Number) refuse(`"${key}" is ${config.raw(key)}: expected a number`);
  return config.number(key);
}
