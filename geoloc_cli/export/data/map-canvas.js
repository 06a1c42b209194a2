'use strict';

// A layer of Leaflet's that is one canvas over the map and some of what lies about it, so that while the map is dragged
// the picture moves with it, and is drawn anew only where its edge would come into sight, or when the map rests.
//
// `paint(context, view)` draws it. A view holds `width` and `height` in pixels; `scale`, pixels for a unit of the plane;
// `left` and `top`, where the plane's origin is; `center`, the middle's latitude and longitude; and `zoom`.
const MARGIN = 0.3; // of the map's sides, on each side

const Surface = L.Layer.extend({
  initialize(paint) {
    this.paint = paint;
  },

  onAdd(map) {
    this.canvas = L.DomUtil.create('canvas', 'leaflet-zoom-animated');
    this.canvas.setAttribute('aria-hidden', 'true');
    map.getPanes().overlayPane.appendChild(this.canvas);
    this.draw();
  },

  onRemove() {
    this.canvas.remove();
  },

  getEvents() {
    const events = { move: this.follow, moveend: this.draw, viewreset: this.draw, resize: this.draw };
    return this._map.options.zoomAnimation ? { ...events, zoomanim: this.zoomTo } : events;
  },

  follow() {
    const corner = this.pointOf(L.point(0, 0));
    const size = this._map.getSize();
    const over = corner.x < 0 || corner.y < 0 || corner.x + size.x > this.size.x || corner.y + size.y > this.size.y;
    if (over || this.drawn.zoom !== this._map.getZoom()) this.draw();
  },

  draw() {
    const map = this._map;
    const margin = map.getSize().multiplyBy(MARGIN).round();
    this.size = map.getSize().add(margin.multiplyBy(2));
    const density = window.devicePixelRatio || 1;
    const [across, down] = [Math.round(this.size.x * density), Math.round(this.size.y * density)];
    if (this.canvas.width !== across || this.canvas.height !== down) {
      [this.canvas.width, this.canvas.height] = [across, down];
      this.canvas.style.width = `${this.size.x}px`;
      this.canvas.style.height = `${this.size.y}px`;
    }
    const outside = L.point(0, 0).subtract(margin);
    this.origin = map.containerPointToLayerPoint(outside);
    L.DomUtil.setPosition(this.canvas, this.origin);
    this.drawn = { zoom: map.getZoom(), corner: map.containerPointToLatLng(outside) };
    const corner = map.getPixelBounds().min.subtract(margin);
    const center = map.getCenter();
    const context = this.canvas.getContext('2d');
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, this.size.x, this.size.y);
    this.paint(context, {
      width: this.size.x,
      height: this.size.y,
      zoom: map.getZoom(),
      scale: 256 * 2 ** map.getZoom(),
      left: -corner.x,
      top: -corner.y,
      center: [center.lat, center.lng],
    });
  },

  // Where on the picture a point of the map's element is, and back.
  pointOf(point) {
    return this._map.containerPointToLayerPoint(point).subtract(this.origin);
  },

  latLngOf(at) {
    return this._map.layerPointToLatLng(this.origin.add(at));
  },

  // While Leaflet shows the way to another zoom, the picture that is there is stretched.
  zoomTo(event) {
    const map = this._map;
    const corner = map.project(this.drawn.corner, event.zoom);
    const middle = map.project(event.center, event.zoom).subtract(map.getSize().divideBy(2));
    const shift = corner.subtract(middle).add(map.containerPointToLayerPoint([0, 0]));
    L.DomUtil.setTransform(this.canvas, shift, map.getZoomScale(event.zoom, this.drawn.zoom));
  },
});
