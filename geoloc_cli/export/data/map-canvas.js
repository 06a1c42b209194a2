'use strict';

// A layer of Leaflet's that is one canvas over the whole map, drawn anew whenever the map moves.
//
// `paint(context, view)` draws a frame. A view holds `width` and `height` in pixels; `scale`, pixels for a unit of the
// plane; `left` and `top`, where the plane's origin is; `center`, the middle's latitude and longitude; and `zoom`.
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
    const events = { move: this.draw, viewreset: this.draw, resize: this.draw, moveend: this.draw };
    return this._map.options.zoomAnimation ? { ...events, zoomanim: this.zoomTo } : events;
  },

  draw() {
    const map = this._map;
    const size = map.getSize();
    const density = window.devicePixelRatio || 1;
    const [across, down] = [Math.round(size.x * density), Math.round(size.y * density)];
    if (this.canvas.width !== across || this.canvas.height !== down) {
      [this.canvas.width, this.canvas.height] = [across, down];
      this.canvas.style.width = `${size.x}px`;
      this.canvas.style.height = `${size.y}px`;
    }
    L.DomUtil.setPosition(this.canvas, map.containerPointToLayerPoint([0, 0]));
    const corner = map.getPixelBounds().min;
    const center = map.getCenter();
    this.drawn = { zoom: map.getZoom(), corner: map.containerPointToLatLng([0, 0]) };
    const context = this.canvas.getContext('2d');
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, size.x, size.y);
    this.paint(context, {
      width: size.x,
      height: size.y,
      zoom: map.getZoom(),
      scale: 256 * 2 ** map.getZoom(),
      left: -corner.x,
      top: -corner.y,
      center: [center.lat, center.lng],
    });
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
