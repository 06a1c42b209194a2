'use strict';

// What a frame of the map is made of. A view is as in map-canvas.js, a look the page's colours and marks.

const GRID_BELOW_M = 800000; // across the picture, 500 km of the map: nearer than that the coast, which is good to 20 km, would mislead
const SQUARES = 8; // across the picture, up to twice as many
const HOLLOW_BELOW = 0.5; // confidence
const MARK_PX = 20;

// The page's colours, by day or by night, and the shapes of the stages.
function lookOf(shapes) {
  const style = getComputedStyle(document.documentElement);
  const look = { stages: {}, pictures: new Map() };
  for (const name of ['paper', 'ink', 'soft', 'sea', 'land', 'border', 'net', 'guess', 'truth', 'candidate', 'error', 'c3', 'link']) {
    look[name] = style.getPropertyValue(`--${name}`).trim();
  }
  Object.keys(shapes).forEach((stage, number) => {
    look.stages[stage] = { path: new Path2D(shapes[stage]), colour: style.getPropertyValue(`--c${number}`).trim() };
  });
  return look;
}

// An outline as numbers: its points on the plane, and the box about them.
function onPlane(steps, unit) {
  const points = new Float64Array(steps.length);
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  let [lat, lon] = [0, 0];
  for (let i = 0; i < steps.length; i += 2) {
    lat += steps[i] * unit;
    lon += steps[i + 1] * unit;
    const [x, y] = [planeX(lon), planeY(lat)];
    points[i] = x;
    points[i + 1] = y;
    box.splice(0, 4, Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y));
  }
  return { points, box };
}

// The place of a point of the plane on the screen, on whichever copy of the world is nearest to the middle.
function screenOf(view, x, y) {
  const turns = Math.round((view.width / 2 - view.left) / view.scale - x);
  return [view.left + (x + turns) * view.scale, view.top + y * view.scale];
}

function metresAcross(view) {
  return view.width / (planeMetre(view.center[0]) * view.scale);
}

function drawGround(context, view, look, ground) {
  if (metresAcross(view) < GRID_BELOW_M) {
    drawGrid(context, view, look);
    return;
  }
  context.beginPath();
  ground.land.forEach((outline) => trace(context, view, outline, true));
  context.fillStyle = look.land;
  context.fill('evenodd');
  context.beginPath();
  ground.borders.forEach((outline) => trace(context, view, outline, false));
  context.strokeStyle = look.border;
  context.lineWidth = 0.8;
  context.stroke();
}

// Adds an outline to the path on every copy of the world that is seen.
function trace(context, view, outline, closed) {
  const { points, box } = outline;
  const first = Math.floor(-view.left / view.scale);
  const last = Math.floor((view.width - view.left) / view.scale);
  for (let turn = first; turn <= last; turn += 1) {
    const left = view.left + turn * view.scale;
    const beside = left + box[2] * view.scale < 0 || left + box[0] * view.scale > view.width;
    const above = view.top + box[3] * view.scale < 0 || view.top + box[1] * view.scale > view.height;
    if (beside || above) continue;
    context.moveTo(left + points[0] * view.scale, view.top + points[1] * view.scale);
    for (let i = 2; i < points.length; i += 2) {
      context.lineTo(left + points[i] * view.scale, view.top + points[i + 1] * view.scale);
    }
    if (closed) context.closePath();
  }
}

// Squares of a round number of metres, true at the middle's latitude to half a degree.
function drawGrid(context, view, look) {
  const [lat, lon] = [Math.round(view.center[0] * 2) / 2, Math.round(view.center[1])];
  const metres = roundBelow(metresAcross(view) / SQUARES);
  const side = metres * planeMetre(lat) * view.scale;
  const [x, y] = [view.left + planeX(lon) * view.scale, view.top + planeY(lat) * view.scale];
  context.beginPath();
  for (let at = x - Math.floor(x / side) * side; at < view.width; at += side) {
    context.moveTo(at, 0);
    context.lineTo(at, view.height);
  }
  for (let at = y - Math.floor(y / side) * side; at < view.height; at += side) {
    context.moveTo(0, at);
    context.lineTo(view.width, at);
  }
  context.strokeStyle = look.net;
  context.lineWidth = 1;
  context.stroke();
}

// A path through places that lie close to each other, on the copy of the world on which a longitude is in the middle.
function follow(context, view, places, middle = places[0][1]) {
  const turns = screenOf(view, planeX(middle), 0)[0] - (view.left + planeX(middle) * view.scale);
  places.forEach(([lat, lon], i) => {
    const [x, y] = [view.left + turns + planeX(lon) * view.scale, view.top + planeY(lat) * view.scale];
    if (i === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  });
}

// Adds a circle on the Earth to the path; one that would be lost in a mark is left out.
function traceDisc(context, view, lat, lon, radius, least) {
  const pixels = radius * planeMetre(lat) * view.scale;
  if (pixels < least) return;
  if (radius < 50000) {
    const [x, y] = screenOf(view, planeX(lon), planeY(lat));
    if (x + pixels < 0 || x - pixels > view.width || y + pixels < 0 || y - pixels > view.height) return;
    context.moveTo(x + pixels, y);
    context.arc(x, y, pixels, 0, 2 * Math.PI);
    return;
  }
  const places = ring(lat, lon, radius);
  if (places === null) return;
  follow(context, view, places, lon);
  context.closePath();
}

function fillPath(context, colour, alpha) {
  context.globalAlpha = alpha;
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 1;
}

function strokePath(context, colour, alpha, dash = []) {
  context.globalAlpha = alpha;
  context.setLineDash(dash);
  context.strokeStyle = colour;
  context.lineWidth = 1.2;
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = 1;
}

// Adds to the path where the camera looked: the steeper it looked up or down, the shorter.
function traceWedge(context, at, heading, pitch, length) {
  const reach = length * Math.max(0.6, Math.cos((pitch || 0) * RADIANS));
  const middle = (heading - 90) * RADIANS;
  context.moveTo(at[0], at[1]);
  context.arc(at[0], at[1], reach, middle - 0.4, middle + 0.4);
  context.closePath();
}

function drawSquare(context, at, side, colour, paper) {
  context.fillStyle = paper;
  context.fillRect(at[0] - side / 2 - 1, at[1] - side / 2 - 1, side + 2, side + 2);
  context.fillStyle = colour;
  context.fillRect(at[0] - side / 2, at[1] - side / 2, side, side);
}

// A photograph's mark, from a picture of it that is drawn once: a thousand paths a frame would be slow.
function drawMark(context, at, stage, hollow, look) {
  const key = `${stage} ${hollow} ${window.devicePixelRatio}`;
  if (!look.pictures.has(key)) look.pictures.set(key, pictureOf(look.stages[stage], hollow, look));
  const half = MARK_PX / 2;
  context.drawImage(look.pictures.get(key), at[0] - half, at[1] - half, MARK_PX, MARK_PX);
}

function pictureOf({ path, colour }, hollow, look) {
  const picture = document.createElement('canvas');
  const density = window.devicePixelRatio || 1;
  picture.width = MARK_PX * density;
  picture.height = MARK_PX * density;
  const context = picture.getContext('2d');
  context.scale(density, density);
  context.translate(MARK_PX / 2, MARK_PX / 2);
  context.strokeStyle = hollow ? colour : look.paper;
  context.fillStyle = hollow ? look.paper : colour;
  context.lineWidth = hollow ? 2 : 1;
  context.fill(path);
  context.stroke(path);
  return picture;
}

function drawHalo(context, at, look) {
  context.beginPath();
  context.arc(at[0], at[1], 12, 0, 2 * Math.PI);
  context.strokeStyle = look.ink;
  context.lineWidth = 2.5;
  context.stroke();
}

// A group as a disc with its number, and the disc's radius.
function drawGroup(context, at, number, look) {
  const radius = 11 + 3.5 * Math.log10(number);
  context.beginPath();
  context.arc(at[0], at[1], radius, 0, 2 * Math.PI);
  context.fillStyle = look.paper;
  context.fill();
  context.strokeStyle = look.link;
  context.lineWidth = 2.5;
  context.stroke();
  context.fillStyle = look.ink;
  context.fillText(number, at[0], at[1]);
  return radius;
}

function drawLabel(context, at, text, look) {
  context.strokeStyle = look.paper;
  context.lineWidth = 3;
  context.strokeText(text, at[0] + 9, at[1]);
  context.fillStyle = look.ink;
  context.fillText(text, at[0] + 9, at[1]);
}
