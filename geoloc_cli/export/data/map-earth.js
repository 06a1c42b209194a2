'use strict';

// Places on the sphere and on the map's plane. Degrees, latitude first; metres. On the plane (Web Mercator) x and y run
// from 0 to 1 over the world, y downwards, and longitudes beyond 180 run on.

const EARTH_RADIUS_M = 6371008.8;
const RADIANS = Math.PI / 180;
const MAX_LATITUDE = 85.0511287798;

function planeX(lon) {
  return lon / 360 + 0.5;
}

function planeY(lat) {
  const sine = Math.sin(Math.max(-MAX_LATITUDE, Math.min(MAX_LATITUDE, lat)) * RADIANS);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

function latitudeOf(y) {
  return (2 * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - Math.PI / 2) / RADIANS;
}

// How long a metre is on the plane at a latitude.
function planeMetre(lat) {
  const bounded = Math.max(-MAX_LATITUDE, Math.min(MAX_LATITUDE, lat));
  return 1 / (2 * Math.PI * EARTH_RADIUS_M * Math.cos(bounded * RADIANS));
}

// The longitude brought by whole turns to within half a turn of another.
function near(lon, other) {
  return lon - 360 * Math.round((lon - other) / 360);
}

function distance(lat1, lon1, lat2, lon2) {
  const up = Math.sin(((lat2 - lat1) * RADIANS) / 2);
  const across = Math.sin(((lon2 - lon1) * RADIANS) / 2);
  const square = up * up + Math.cos(lat1 * RADIANS) * Math.cos(lat2 * RADIANS) * across * across;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(square)));
}

function destination(lat, lon, bearing, metres) {
  const angle = metres / EARTH_RADIUS_M;
  const [start, turn] = [lat * RADIANS, bearing * RADIANS];
  const sine = Math.sin(start) * Math.cos(angle) + Math.cos(start) * Math.sin(angle) * Math.cos(turn);
  const east = Math.sin(turn) * Math.sin(angle) * Math.cos(start);
  const away = Math.atan2(east, Math.cos(angle) - Math.sin(start) * sine);
  return [Math.asin(Math.max(-1, Math.min(1, sine))) / RADIANS, lon + away / RADIANS];
}

// A circle's rim as places; null where it would hold half of the Earth. One about a pole is closed over it, and goes
// round three times, so that it has no end within sight.
function ring(lat, lon, radius) {
  if (radius >= (EARTH_RADIUS_M * Math.PI) / 2) return null;
  const places = [];
  for (let bearing = 0; bearing < 360; bearing += 4) places.push(destination(lat, lon, bearing, radius));
  const quarter = (EARTH_RADIUS_M * Math.PI) / 2;
  const poles = [1, -1].filter((side) => radius > quarter - side * lat * RADIANS * EARTH_RADIUS_M);
  if (poles.length === 0) return places;
  places.forEach((place) => { place[1] = near(place[1], lon); });
  places.sort((a, b) => a[1] - b[1]);
  const pole = poles[0] * MAX_LATITUDE;
  const turns = [-360, 0, 360].flatMap((turn) => places.map(([itsLat, itsLon]) => [itsLat, itsLon + turn]));
  return [[pole, turns[0][1]], ...turns, [pole, turns[turns.length - 1][1]]];
}

// The shortest way between two places, in chords of at most two degrees.
function way(lat1, lon1, lat2, lon2) {
  const metres = distance(lat1, lon1, lat2, lon2);
  const steps = Math.ceil(metres / (2 * RADIANS * EARTH_RADIUS_M));
  const end = [lat2, near(lon2, lon1)];
  if (steps < 2) return [[lat1, lon1], end];
  const east = Math.sin((lon2 - lon1) * RADIANS) * Math.cos(lat2 * RADIANS);
  const north = Math.cos(lat1 * RADIANS) * Math.sin(lat2 * RADIANS)
    - Math.sin(lat1 * RADIANS) * Math.cos(lat2 * RADIANS) * Math.cos((lon2 - lon1) * RADIANS);
  const bearing = Math.atan2(east, north) / RADIANS;
  const places = [[lat1, lon1]];
  for (let step = 1; step <= steps; step += 1) {
    const [lat, lon] = destination(lat1, lon1, bearing, (metres * step) / steps);
    places.push([lat, near(lon, places[step - 1][1])]);
  }
  return places;
}

// The narrowest box about places, as [south, west, north, east]; east may be beyond 180.
function boxAbout(places) {
  const lats = places.map((place) => place[0]);
  const lons = places.map((place) => near(place[1], 0)).sort((a, b) => a - b);
  let [gap, west] = [lons[0] + 360 - lons[lons.length - 1], lons[0]];
  for (let i = 1; i < lons.length; i += 1) {
    if (lons[i] - lons[i - 1] > gap) [gap, west] = [lons[i] - lons[i - 1], lons[i]];
  }
  const [south, north] = lats.reduce(([low, high], lat) => [Math.min(low, lat), Math.max(high, lat)], [90, -90]);
  return [south, west, north, west + 360 - gap];
}

// 1, 2 or 5 times a power of ten, not above a length.
function roundBelow(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  return [5, 2, 1].map((step) => step * power).find((length) => length <= metres * 1.000001);
}

// A length as people say it: 0.4 m, 25 m, 1.2 km, 2500 km.
function spelled(metres) {
  const [value, unit] = metres < 999.5 ? [metres, 'm'] : [metres / 1000, 'km'];
  return `${value < 9.95 ? Number(value.toPrecision(2)) : Math.round(value)} ${unit}`;
}
