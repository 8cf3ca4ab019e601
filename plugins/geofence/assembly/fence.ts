import { Kind, refuse, Value } from 'weir/plugin';

const EARTH_RADIUS_M: f64 = 6_371_008.8;
const RADIUS_MAX_M: f64 = 10_000_000;
const CORNERS_MAX: i32 = 1_000;
const RADIANS: f64 = Math.PI / 180;

/** A circle, or a polygon of at least three corners. */
export class Fence {
  /** A circle has none. Latitude and longitude of each, where a side may not span half the earth. */
  readonly corners: f64[] = [];
  y: f64 = 0;
  x: f64 = 0;
  /** Of a circle: the square of the sine of half the angle that its radius spans at the centre of the earth. */
  reach: f64 = 0;

  constructor(
    /** Its name as JSON. */
    readonly json: string,
  ) {}

  holds(y: f64, x: f64): bool {
    return this.corners.length == 0 ? this.isNear(y, x) : this.surrounds(y, x);
  }

  /** The haversine of the angle between the position and the centre. */
  private isNear(y: f64, x: f64): bool {
    const north = Math.sin(((y - this.y) * RADIANS) / 2);
    const east = Math.sin(((x - this.x) * RADIANS) / 2);
    return north * north + Math.cos(y * RADIANS) * Math.cos(this.y * RADIANS) * east * east <= this.reach;
  }

  /** Whether a ray to the north crosses its sides an odd number of times. */
  private surrounds(y: f64, x: f64): bool {
    const corners = this.corners;
    const at = nearTo(x, this.x);
    let isInside = false;
    let beforeY = unchecked(corners[corners.length - 2]);
    let beforeX = unchecked(corners[corners.length - 1]);
    for (let i = 0; i < corners.length; i += 2) {
      const cornerY = unchecked(corners[i]);
      const cornerX = unchecked(corners[i + 1]);
      if (cornerX > at != beforeX > at && y < ((beforeY - cornerY) * (at - cornerX)) / (beforeX - cornerX) + cornerY) isInside = !isInside;
      beforeY = cornerY;
      beforeX = cornerX;
    }
    return isInside;
  }
}

/** The same longitude, at most half the earth away from another. */
function nearTo(x: f64, other: f64): f64 {
  return x - Math.round((x - other) / 360) * 360;
}

/** Reads `{"center": [47.6, -122.3], "radius_m": 500}` or `{"polygon": [[47.6, -122.3], …]}`; null after a refusal. */
export function readFence(value: Value): Fence | null {
  const fence = new Fence(`"${jsonKey(value)}"`);
  const center = value.at('center');
  const polygon = value.at('polygon');
  if (value.kind != Kind.Object || center.exists == polygon.exists) {
    refuse(`the fence "${value.key}" is ${value.raw}: expected either "center" and "radius_m", or "polygon"`);
    return null;
  }
  return center.exists ? readCircle(fence, value, center) : readPolygon(fence, value, polygon);
}

/** The key as it stands in the configuration, with its escapes. */
function jsonKey(value: Value): string {
  return String.UTF8.decodeUnsafe(value.keyStart, value.keyEnd - value.keyStart);
}

function readCircle(fence: Fence, value: Value, center: Value): Fence | null {
  const radius = value.at('radius_m').number;
  if (!isPosition(center) || !(radius > 0 && radius <= RADIUS_MAX_M)) {
    refuse(`the fence "${value.key}" is ${value.raw}: expected a "center" of [latitude, longitude] and a "radius_m" from 0 to ${<i32>RADIUS_MAX_M}`);
    return null;
  }
  fence.y = center.at('0').number;
  fence.x = center.at('1').number;
  const half = Math.sin(radius / EARTH_RADIUS_M / 2);
  fence.reach = half * half;
  return fence;
}

function readPolygon(fence: Fence, value: Value, polygon: Value): Fence | null {
  for (let at = polygon.first; at.exists; at = at.following(polygon)) {
    if (!isPosition(at)) {
      refuse(`the fence "${value.key}" has the corner ${at.raw}: expected [latitude, longitude]`);
      return null;
    }
    const y = at.at('0').number;
    // From corner to corner the shorter way: a fence may cross the 180th meridian.
    const x = fence.corners.length == 0 ? at.at('1').number : nearTo(at.at('1').number, fence.corners[fence.corners.length - 1]);
    if (fence.corners.length == 0) fence.x = x;
    fence.corners.push(y);
    fence.corners.push(x);
  }
  const corners = fence.corners.length / 2;
  if (corners >= 3 && corners <= CORNERS_MAX) return fence;
  refuse(`the fence "${value.key}" has ${corners} corners: expected 3 to ${CORNERS_MAX}`);
  return null;
}

function isPosition(value: Value): bool {
  return value.length == 2 && abs(value.at('0').number) <= 90 && abs(value.at('1').number) <= 360;
}
