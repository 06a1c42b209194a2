'use strict';

// Photographs that are too many to be told apart are drawn as one: those in a square of the map at its zoom, and in
// squares whose middles come so near that their discs would cover each other.

const GROUP_FROM = 1500; // photographs; fewer are drawn one by one
const SQUARE_PX = 64;
const APART_PX = 44;

// The groups of photographs at whole zooms. `x` and `y` are all photographs' places on the plane, NaN where none is.
class Groups {
  constructor(x, y) {
    this.x = x;
    this.y = y;
    this.choose([]);
  }

  // From now on these photographs, by their numbers, are on the map.
  choose(numbers) {
    this.numbers = numbers.filter((number) => !Number.isNaN(this.x[number]));
    this.atZoom = new Map();
  }

  // The groups, each with its place on the plane and the numbers of its photographs.
  at(zoom) {
    const level = this.numbers.length < GROUP_FROM ? null : Math.floor(zoom);
    if (!this.atZoom.has(level)) this.atZoom.set(level, level === null ? this.single() : this.gathered(level));
    return this.atZoom.get(level);
  }

  single() {
    return this.numbers.map((number) => ({ x: this.x[number], y: this.y[number], numbers: [number] }));
  }

  gathered(level) {
    const side = (2 ** level * 256) / SQUARE_PX;
    const keyOf = (x, y) => (Math.floor(x * side) + side) % side + Math.floor(y * side) * side;
    const squares = new Map();
    for (const one of this.single()) {
      const key = keyOf(one.x, one.y);
      if (squares.has(key)) join(squares.get(key), one);
      else squares.set(key, one);
    }
    // The largest stay where they are; each other one goes to the nearest of them that it would touch.
    const placed = new Map();
    for (const group of [...squares.values()].sort((a, b) => b.numbers.length - a.numbers.length)) {
      const about = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((across) => keyOf(group.x + across / side, group.y + down / side)));
      const [away, nearest] = about
        .flatMap((key) => placed.get(key) || [])
        .map((other) => [apart(other, group), other])
        .reduce((a, b) => (b[0] < a[0] ? b : a), [Infinity, null]);
      if (away * side * SQUARE_PX < APART_PX) {
        nearest.numbers.push(...group.numbers);
      } else {
        const key = keyOf(group.x, group.y);
        placed.set(key, [...(placed.get(key) || []), group]);
      }
    }
    return [...placed.values()].flat();
  }
}

// How far two groups are from each other on the plane, the short way round.
function apart(one, other) {
  const across = one.x - other.x;
  return Math.hypot(across - Math.round(across), one.y - other.y);
}

// Adds a photograph to a group, whose place is the mean of its photographs'.
function join(group, one) {
  group.numbers.push(...one.numbers);
  group.x += (one.x - group.x) / group.numbers.length;
  group.y += (one.y - group.y) / group.numbers.length;
}

// What was drawn at a point of the screen, the nearest first; marks have `at`, their place on it.
function hits(marks, point, reach) {
  return marks
    .map((mark) => [Math.hypot(mark.at[0] - point.x, mark.at[1] - point.y) - (mark.radius || 0), mark])
    .filter(([away]) => away < reach)
    .sort((a, b) => a[0] - b[0])
    .map(([, mark]) => mark);
}
