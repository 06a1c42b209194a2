'use strict';

// What is known of one photograph, in words. Every text is set as text: none is ever parsed.

function made(name, content, attributes = {}) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  for (const part of [content].flat()) if (part !== null && part !== undefined) element.append(part);
  return element;
}

// A name keeps its direction to itself.
function named(text) {
  return made('bdi', text);
}

function placeText(lat, lon, decimals = 5) {
  return `${lat.toFixed(decimals)}, ${lon.toFixed(decimals)}`;
}

function thumbnailOf(photos, number) {
  const data = photos.thumbnail[number];
  if (!data) return null;
  const alt = `Small picture of ${photos.name[number]}`;
  return made('img', null, { src: `data:image/webp;base64,${data}`, alt, class: 'thumbnail' });
}

// The whole of the evidence. `error` is in metres, NaN where the truth is not known.
function evidenceOf(told, number, error) {
  const photos = told.photos;
  const parts = [thumbnailOf(photos, number), factsOf(photos, number, error)];
  if (photos.status[number] !== 'error') {
    parts.push(candidatesOf(told, number), beliefOf(photos, number), ...priorsOf(photos, number));
  }
  return parts.filter((part) => part !== null);
}

function factsOf(photos, number, error) {
  const of = (name) => photos[name][number];
  const facts = [];
  if (of('status') === 'error') facts.push(['failed', of('reason')]);
  if (of('status') === 'unlocated') facts.push(['unlocated', of('reason') || '']);
  if (of('lat') !== null) facts.push(['place', placeText(of('lat'), of('lon'))]);
  if (of('radius_m') !== null) facts.push(['within', `${spelled(of('radius_m'))}, 9 times in 10`]);
  if (of('lat') !== null) {
    const of_what = of('disclosed') ? 'of the exact place, which is not told' : 'to be within 1 km';
    facts.push(['confidence', `${of('confidence').toFixed(2)} ${of_what}`]);
  }
  if (!Number.isNaN(error)) facts.push(['error', `${spelled(error)} from the true place`]);
  if (of('stage')) facts.push(['stage', of('stage')]);
  if (of('status') === 'ok' && of('reason')) facts.push(['note', of('reason')]);
  if (of('alt_sea_m') !== null) facts.push(['altitude', `${of('alt_sea_m').toFixed(1)} m above the sea`]);
  if (of('pose')) facts.push(...poseFacts(of('pose')));
  return made('dl', facts.flatMap(([name, said]) => [made('dt', name), made('dd', said)]));
}

function poseFacts([map, heading, pitch, roll, inliers, reprojection, spread]) {
  const facts = [];
  if (heading !== null) facts.push(['camera', `heading ${heading.toFixed(1)}°, pitch ${pitch.toFixed(1)}°, roll ${roll.toFixed(1)}°`]);
  const size = spread ? `, give or take ${spelled(Math.hypot(...spread))}` : '';
  facts.push(['pose', `${inliers} inliers, ${reprojection.toFixed(2)} px${size}`], ['map', named(map)]);
  return facts;
}

function tableOf(heading, titles, rows) {
  if (rows.length === 0) return null;
  const head = made('tr', titles.map((title, i) => made('th', title, i ? { scope: 'col', class: 'n' } : { scope: 'col' })));
  const body = rows.map(([first, ...rest]) => made('tr', [
    made('th', first, { scope: 'row' }), ...rest.map((cell) => made('td', cell, { class: 'n' })),
  ]));
  return made('div', [made('h3', heading), made('table', [made('thead', head), made('tbody', body)])]);
}

function candidatesOf(told, number) {
  const { lat, lon, candidates } = told.photos;
  const rows = (candidates[number] || []).map(([known, similarity, , inliers], i) => {
    const [name, itsLat, itsLon] = told.indexed[known];
    const placed = itsLat !== null && lat[number] !== null;
    const away = placed ? spelled(distance(lat[number], lon[number], itsLat, itsLon)) : '–';
    return [[`${i + 1} `, named(name)], inliers === null ? '–' : inliers, similarity.toFixed(2), away];
  });
  return tableOf(told.indexed_folder ? ['Candidates in ', named(told.indexed_folder)] : 'Candidates', ['photograph', 'inliers', 'likeness', 'away'], rows);
}

function beliefOf(photos, number) {
  const rows = (photos.belief[number] || []).map(([lat, lon, radius, weight]) => [
    placeText(lat, lon, radius > 10000 ? 1 : 4), `${(100 * weight).toFixed(weight < 0.01 ? 2 : 0)} %`, spelled(radius),
  ]);
  return tableOf('Belief', ['about', 'share', 'within'], rows);
}

function priorsOf(photos, number) {
  const priors = photos.priors[number] || [];
  if (priors.length === 0) return [];
  return [made('h3', 'Priors'), ...priors.flatMap(([name, lat, lon, radius, rationale]) => {
    const place = lat === null ? 'no place' : `${placeText(lat, lon, 3)}${radius === null ? '' : ` within ${spelled(radius)}`}`;
    return [made('p', [made('strong', named(name)), `: ${place}`]), rationale ? made('p', rationale, { class: 'said', dir: 'auto' }) : null];
  })];
}
