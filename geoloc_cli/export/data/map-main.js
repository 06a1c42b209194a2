'use strict';

// The page: what was told, what of it is shown, and what is selected.

(() => {
  const told = JSON.parse(document.getElementById('told').textContent);
  const photos = told.photos;
  const count = photos.name.length;
  const by = (id) => document.getElementById(id);
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;

  const x = Float64Array.from(photos.lon, (lon) => (lon === null ? NaN : planeX(lon)));
  const y = Float64Array.from(photos.lat, (lat) => (lat === null ? NaN : planeY(lat)));
  const errors = Float64Array.from({ length: count }, (_, i) => {
    const truth = photos.truth && photos.truth[i];
    return truth && photos.lat[i] !== null ? distance(photos.lat[i], photos.lon[i], ...truth) : NaN;
  });
  const ground = {
    land: told.ground.land.map((steps) => onPlane(steps, 0.01)),
    borders: told.ground.borders.map((steps) => onPlane(steps, 0.01)),
  };
  const groups = new Groups(x, y);
  let look = lookOf(told.shapes);
  let selected = null;
  let only = null; // the photographs of one place, where these alone are listed
  let marks = [];

  const map = L.map('map', {
    zoomControl: false, attributionControl: false, zoomSnap: told.tiles ? 1 : 0.5, minZoom: 1, maxZoom: 22,
    maxBounds: [[-MAX_LATITUDE, -Infinity], [MAX_LATITUDE, Infinity]], maxBoundsViscosity: 1,
    zoomAnimation: !still, fadeAnimation: !still, inertia: !still,
  });
  const tiles = told.tiles && L.tileLayer(told.tiles.url, { maxNativeZoom: 19, maxZoom: 22 });
  const tip = L.tooltip({ direction: 'top', offset: [0, -10], opacity: 1 });
  const surface = new Surface(paint);
  const list = new List(by('list'), by('earlier'), by('later'), rowOf, (number, byKey) => select(number, { move: true, byKey }));
  list.turned = () => { by('count').textContent = list.said; };

  function ticked(id) {
    return Boolean(by(id) && by(id).checked);
  }

  function paint(context, view) {
    context.font = '600 12px system-ui, sans-serif';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    if (!ticked('tiles')) drawGround(context, view, look, ground);
    marks = [];
    for (const group of groups.at(view.zoom)) {
      const at = screenOf(view, group.x, group.y);
      if (at[0] > -40 && at[0] < view.width + 40 && at[1] > -40 && at[1] < view.height + 40) marks.push({ at, numbers: group.numbers });
    }
    const single = marks.filter((mark) => mark.numbers.length === 1 && mark.numbers[0] !== selected);
    const numbers = single.map((mark) => mark.numbers[0]);
    if (ticked('circles')) paintCircles(context, view, numbers, 0.06, 0.35);
    if (ticked('errors')) paintErrors(context, view, numbers);
    if (ticked('wedges')) paintWedges(context, single, 20);
    for (const mark of single) paintMark(context, mark);
    for (const mark of marks) if (mark.numbers.length > 1) mark.radius = drawGroup(context, mark.at, mark.numbers.length, look);
    if (selected !== null) paintSelected(context, view);
    paintScale(view);
  }

  function paintMark(context, { at, numbers: [number] }) {
    drawMark(context, at, photos.stage[number], photos.confidence[number] < HOLLOW_BELOW, look);
  }

  // All circles in one path, so that a thousand over each other are no darker than one. Those wider than the map are
  // left out, but for that which is selected.
  function paintCircles(context, view, numbers, alpha, rimAlpha) {
    const most = metresAcross(view) / 3;
    context.beginPath();
    for (const number of numbers) {
      const radius = photos.radius_m[number];
      if (radius !== null && (radius < most || number === selected)) {
        traceDisc(context, view, photos.lat[number], photos.lon[number], radius, 7);
      }
    }
    fillPath(context, look.guess, alpha);
    strokePath(context, look.guess, rimAlpha);
  }

  function paintWedges(context, some, length) {
    context.beginPath();
    for (const { at, numbers: [number] } of some) {
      const pose = photos.pose[number];
      if (pose && pose[1] !== null) traceWedge(context, at, pose[1], pose[2], length);
    }
    fillPath(context, look.ink, 0.45);
  }

  function paintErrors(context, view, numbers) {
    const known = numbers.filter((number) => photos.truth[number] && photos.lat[number] !== null);
    context.beginPath();
    for (const number of known) follow(context, view, way(photos.lat[number], photos.lon[number], ...photos.truth[number]));
    strokePath(context, look.error, 1);
    for (const [lat, lon] of known.map((number) => photos.truth[number])) {
      drawSquare(context, screenOf(view, planeX(lon), planeY(lat)), 5, look.truth, look.paper);
    }
  }

  // All the evidence of the one that is selected, above everything else.
  function paintSelected(context, view) {
    const [lat, lon] = [photos.lat[selected], photos.lon[selected]];
    const belief = photos.belief[selected] || [];
    const heaviest = Math.max(...belief.map((part) => part[3]));
    for (const [itsLat, itsLon, radius, weight] of belief) {
      context.beginPath();
      traceDisc(context, view, itsLat, itsLon, radius, 4);
      fillPath(context, look.c3, 0.08 + 0.3 * Math.sqrt(weight / heaviest));
    }
    if (lat !== null) paintCircles(context, view, [selected], 0.1, 1);
    const candidates = (photos.candidates[selected] || []).map(([known]) => told.indexed[known]);
    candidates.forEach(([, itsLat, itsLon], i) => {
      if (itsLat === null) return;
      context.beginPath();
      if (lat !== null) follow(context, view, way(lat, lon, itsLat, itsLon));
      strokePath(context, look.candidate, 1, [4, 3]);
      const at = screenOf(view, planeX(itsLon), planeY(itsLat));
      drawSquare(context, at, 6, look.candidate, look.paper);
      drawLabel(context, at, `${i + 1}`, look);
    });
    if (photos.truth) paintErrors(context, view, [selected]);
    if (lat === null) return;
    const mark = { at: screenOf(view, x[selected], y[selected]), numbers: [selected] };
    paintWedges(context, [mark], 44);
    drawHalo(context, mark.at, look);
    paintMark(context, mark);
    marks.push(mark);
  }

  function paintScale(view) {
    const pixel = planeMetre(view.center[0]) * view.scale;
    const metres = roundBelow(160 / pixel);
    by('scale').textContent = spelled(metres);
    by('scale').style.width = `${metres * pixel}px`;
  }

  function rowOf(number) {
    const located = photos.status[number] === 'ok';
    const swatch = document.querySelector(`[data-stage="${located ? photos.stage[number] : ''}"] + svg`);
    const picture = thumbnailOf(photos, number) || made('span', swatch && swatch.cloneNode(true), { class: 'blank' });
    if (picture.alt) picture.alt = ''; // the name stands beside it
    const parts = located
      ? [photos.radius_m[number] !== null && spelled(photos.radius_m[number]), photos.confidence[number].toFixed(2), photos.stage[number],
        !Number.isNaN(errors[number]) && `error ${spelled(errors[number])}`]
      : [photos.status[number] === 'error' ? 'failed' : photos.reason[number] || 'unlocated'];
    return [picture, named(photos.name[number]), made('small', parts.filter(Boolean).join(' · '))];
  }

  // Applies the filters: the list in its order, and the map.
  function choose() {
    const [least, most] = [Number(by('least').value), Number(by('most').value)];
    const part = by('search').value.toLowerCase();
    const stages = new Set([...document.querySelectorAll('[data-stage]:checked')].map((box) => box.dataset.stage));
    const among = only || Array.from({ length: count }, (_, number) => number);
    const numbers = among.filter((number) => {
      const located = photos.status[number] === 'ok';
      const sure = photos.confidence[number] || 0;
      return stages.has(located ? photos.stage[number] : '') && sure >= least && sure <= most
        && photos.name[number].toLowerCase().includes(part);
    });
    const orders = {
      sure: (a, b) => photos.confidence[a] - photos.confidence[b],
      name: (a, b) => photos.name[a].localeCompare(photos.name[b], 'en', { numeric: true }),
      error: (a, b) => (Number.isNaN(errors[b]) ? -1 : errors[b]) - (Number.isNaN(errors[a]) ? -1 : errors[a]),
    };
    if (orders[by('order').value]) numbers.sort(orders[by('order').value]);
    for (const id of ['least', 'most']) by(id).parentElement.querySelector('output').textContent = Number(by(id).value).toFixed(2);
    by('again').hidden = only === null;
    list.show(numbers);
    groups.choose(numbers);
    surface.draw();
  }

  function select(number, { move = false, byKey = false } = {}) {
    selected = number;
    const row = list.select(number);
    by('evidence').hidden = false;
    by('evidence').querySelector('h2').replaceChildren(named(photos.name[number]));
    by('evidence-body').replaceChildren(...evidenceOf(told, number, errors[number]));
    by('evidence').scrollTop = 0;
    map.invalidateSize({ pan: false });
    if (move) show(placesOf([number], 3), 20);
    if (row) by('side').scrollTop = row.offsetTop - by('side').offsetTop - by('side').clientHeight / 2;
    if (byKey) by('evidence').querySelector('h2').focus();
    else if (move) by('evidence').scrollIntoView({ block: 'nearest' });
    surface.draw();
  }

  function close() {
    const row = list.mark();
    selected = null;
    list.select(null);
    by('evidence').hidden = true;
    map.invalidateSize({ pan: false });
    (row || by('photographs')).focus();
    surface.draw();
  }

  // What holds the circles of photographs, made so much wider, or those of their beliefs where they have no place.
  function placesOf(numbers, wider = 1) {
    return numbers.flatMap((number) => {
      const parts = photos.lat[number] === null ? photos.belief[number] || [] : [[photos.lat[number], photos.lon[number], photos.radius_m[number] || 1]];
      return parts.flatMap(([lat, lon, radius]) => [0, 90, 180, 270].map((bearing) => destination(lat, lon, bearing, Math.min(radius * wider, 3e6))));
    });
  }

  function show(places, maxZoom) {
    if (places.length === 0) return;
    const [south, west, north, east] = boxAbout(places);
    const shift = map._loaded ? near(west, map.getCenter().lng) - west : 0;
    const box = [[south, west + shift], [north, east + shift]];
    if (!map._loaded || !map.getBounds().contains(box) || map.getBoundsZoom(box) > map.getZoom() + 2) {
      map.fitBounds(box, { maxZoom, padding: [50, 50], animate: map._loaded && !still });
    }
  }

  function home() {
    const numbers = groups.numbers;
    const sharpest = numbers.reduce((best, number) => (photos.radius_m[number] < photos.radius_m[best] ? number : best), numbers[0]);
    // All marks, and one circle whole: marks in the middle of a wide cell alone would look exact.
    const places = [...numbers.map((number) => [photos.lat[number], photos.lon[number]]), ...(numbers.length ? placesOf([sharpest]) : [])];
    if (places.length) map.fitBounds(asBounds(boxAbout(places)), { maxZoom: 17, padding: [40, 40] });
    else map.setView([20, 0], 1);
  }

  function asBounds([south, west, north, east]) {
    return [[south, west], [north, east]];
  }

  // A click on a mark opens it; on a group it comes nearer, until its photographs are at one place and are listed.
  map.on('click', (event) => {
    const hit = hits(marks, surface.pointOf(event.containerPoint), 14);
    if (hit.length === 0) return;
    const [mark] = hit;
    if (mark.numbers.length === 1) {
      const here = hit.filter((other) => Math.hypot(other.at[0] - mark.at[0], other.at[1] - mark.at[1]) < 3);
      const numbers = [...new Set(here.flatMap((other) => other.numbers))];
      if (numbers.length > 1) narrow(numbers);
      select(mark.numbers[0]);
      return;
    }
    const box = asBounds(boxAbout(mark.numbers.map((number) => [photos.lat[number], photos.lon[number]])));
    const zoom = Math.min(map.getBoundsZoom(box, false, L.point(60, 60)), 22);
    if (zoom > map.getZoom()) map.fitBounds(box, { maxZoom: 22, padding: [30, 30] });
    else narrow(mark.numbers);
  });

  function narrow(numbers) {
    only = numbers;
    choose();
  }

  map.on('mousemove', (event) => {
    const [mark] = hits(marks, surface.pointOf(event.containerPoint), 12);
    by('map').classList.toggle('points', Boolean(mark));
    if (!mark) {
      tip.remove();
      return;
    }
    const said = mark.numbers.length === 1 ? named(photos.name[mark.numbers[0]]) : made('span', `${mark.numbers.length} photographs`);
    tip.setContent(said).setLatLng(surface.latLngOf(mark.at)).addTo(map);
  });
  map.on('mouseout', () => tip.remove());

  for (const id of ['search', 'least', 'most']) by(id).addEventListener('input', choose);
  for (const box of document.querySelectorAll('[data-stage], #order')) box.addEventListener('change', choose);
  for (const id of ['circles', 'wedges', 'errors']) if (by(id)) by(id).addEventListener('change', () => surface.draw());
  if (tiles) {
    by('tiles').addEventListener('change', () => {
      if (ticked('tiles')) tiles.addTo(map);
      else tiles.remove();
      surface.draw();
    });
  }
  by('again').addEventListener('click', () => narrow(null));
  by('close').addEventListener('click', close);
  by('evidence').addEventListener('keydown', (event) => { if (event.key === 'Escape') close(); });
  by('nearer').addEventListener('click', () => map.zoomIn());
  by('farther').addEventListener('click', () => map.zoomOut());
  by('whole').addEventListener('click', home);
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    look = lookOf(told.shapes);
    surface.draw();
  });

  groups.choose(Array.from({ length: count }, (_, number) => number));
  by('filters').open = window.matchMedia('(min-width: 44rem)').matches;
  home();
  if (tiles) tiles.addTo(map);
  surface.addTo(map);
  choose();
})();
