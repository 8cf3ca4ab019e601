// Judges positions by fences: circles and polygons on the map.
import { Buffer, Json, Kind, Message, Path, refuse, Verdict } from 'weir/plugin';
import { GROUP_KEYS, Groups } from 'weir/group';
import { allowKeys, answer, fieldOf, policy } from 'weir/policy';
import { Fence, readFence } from './fence';

const NOWHERE: i32 = -1;
const LATITUDE_MAX: f64 = 90;
const LONGITUDE_MAX: f64 = 360;

/** What is remembered of a key: the number of its fence, or NOWHERE. */
@unmanaged
class Place {
  fence: i64;
}

let latitude: Path = new Path('');
let longitude: Path = latitude;
const fences: Fence[] = [];
let inside: bool = true;
let outside: bool = false;
let changes: bool = false;
let target: Path | null = null;
let groups: Groups = changetype<Groups>(0);
let missing: Verdict = Verdict.Drop;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['fences', 'latitude', 'longitude', 'let_through', 'changes', 'target', 'missing', 'invalid'].concat(GROUP_KEYS));
  const all = config.at('fences');
  if (all.kind != Kind.Object || all.length == 0) return refuse('"fences" is missing: expected an object of fences by name');
  for (let at = all.first; at.exists; at = at.following(all)) {
    const fence = readFence(at);
    if (fence === null) return;
    fences.push(fence);
  }
  latitude = fieldOf(config, 'latitude', 'latitude');
  longitude = fieldOf(config, 'longitude', 'longitude');
  const wanted = config.has('let_through') ? config.text('let_through') : 'inside';
  if (wanted != 'inside' && wanted != 'outside' && wanted != 'all') refuse(`"let_through" is ${config.raw('let_through')}: expected "inside", "outside" or "all"`);
  inside = wanted != 'outside';
  outside = wanted != 'inside';
  changes = config.isTrue('changes');
  if (config.has('target')) target = fieldOf(config, 'target');
  groups = new Groups(config, offsetof<Place>());
  missing = policy(config, 'missing', Verdict.Drop);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

// What is done for every message holds no strings: see the SDK's README.
export function onMessage(message: Message): Verdict {
  const json = message.json;
  const y = json.peekNumber(latitude);
  const x = json.peekNumber(longitude);
  if (!(abs(y) <= LATITUDE_MAX && abs(x) <= LONGITUDE_MAX)) return judgeOther(json);
  const fence = fenceAt(y, x);
  if (changes) {
    if (!groups.find(message)) return answer(invalid, groups.problem());
    const place = changetype<Place>(groups.take());
    if (!groups.keys.isNew && place.fence == <i64>fence) return Verdict.Drop;
    place.fence = <i64>fence;
  }
  if (fence == NOWHERE ? !outside : !inside) return Verdict.Drop;
  return target === null ? Verdict.Pass : name(json, fence);
}

/** The first fence around a position. */
function fenceAt(y: f64, x: f64): i32 {
  for (let i = 0; i < fences.length; i++) if (unchecked(fences[i]).holds(y, x)) return i;
  return NOWHERE;
}

function name(json: Json, fence: i32): Verdict {
  if (json.setRawAt(target!, fence == NOWHERE ? 'null' : fences[fence].json)) return Verdict.Replace;
  return answer(invalid, json.valid ? `there is no place for "${target!.text}"` : `the payload is not JSON: ${json.problem}`);
}

function judgeOther(json: Json): Verdict {
  const north = json.peek(latitude);
  const east = json.peek(longitude);
  if (!json.valid) return answer(invalid, `the payload is not JSON: ${json.problem}`);
  if (north.kind <= Kind.Null) return answer(missing, `there is no "${latitude.text}"`);
  if (east.kind <= Kind.Null) return answer(missing, `there is no "${longitude.text}"`);
  return answer(invalid, `"${latitude.text}" and "${longitude.text}" are ${north.raw} and ${east.raw}: expected degrees`);
}

export function onSaveBytes(state: Buffer): void {
  groups.save(state);
}

export function onRestoreBytes(start: usize, bytes: usize): void {
  groups.restore(start, bytes);
}
