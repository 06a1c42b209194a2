'use strict';

// Photographs that are too many to be told apart are drawn as one: all those in a square of the map at its zoom.

const GROUP_FROM = 1500; // photographs; fewer are drawn one by one
const SQUARE_PX = 64;

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
    const side = 2 ** level * (256 / SQUARE_PX);
    const squares = new Map();
    for (const number of this.numbers) {
      const key = Math.floor(this.x[number] * side) + Math.floor(this.y[number] * side) * side;
      const square = squares.get(key);
      if (square) {
        square.x += this.x[number];
        square.y += this.y[number];
        square.numbers.push(number);
      } else {
        squares.set(key, { x: this.x[number], y: this.y[number], numbers: [number] });
      }
    }
    const groups = [...squares.values()];
    for (const group of groups) {
      group.x /= group.numbers.length;
      group.y /= group.numbers.length;
    }
    return groups;
  }
}

// What was drawn at a point of the screen, the nearest first; marks have `at`, their place on it.
function hits(marks, point, reach) {
  return marks
    .map((mark) => [Math.hypot(mark.at[0] - point.x, mark.at[1] - point.y) - (mark.radius || 0), mark])
    .filter(([away]) => away < reach)
    .sort((a, b) => a[0] - b[0])
    .map(([, mark]) => mark);
}
