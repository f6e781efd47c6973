// The OpenLayers map: a picture before, one after, the probability and the
// polygons of one event.
import 'ol/ol.css';
import OlMap from 'ol/Map';
import View from 'ol/View';
import Overlay from 'ol/Overlay';
import TileLayer from 'ol/layer/Tile';
import VectorTileLayer from 'ol/layer/VectorTile';
import VectorTileSource from 'ol/source/VectorTile';
import XYZ from 'ol/source/XYZ';
import OSM from 'ol/source/OSM';
import MVT from 'ol/format/MVT';
import ScaleLine from 'ol/control/ScaleLine';
import { defaults as defaultControls } from 'ol/control/defaults';
import { transformExtent } from 'ol/proj';
import { getRenderPixel } from 'ol/render';
import Fill from 'ol/style/Fill';
import Stroke from 'ol/style/Stroke';
import Style from 'ol/style/Style';
import type ImageTile from 'ol/ImageTile';
import type Tile from 'ol/Tile';
import type RenderEvent from 'ol/render/Event';
import { tileURL, vectorTileURL } from './api';

export type LayerName = 'pre' | 'post' | 'probability' | 'landslides';

const attribution = 'Contains modified Copernicus Sentinel data';

/** MapView shows one event at a time. */
export class MapView {
  readonly map: OlMap;
  private readonly osm = new TileLayer({ source: new OSM() });
  private readonly pre = new TileLayer<XYZ>({ visible: true });
  private readonly post = new TileLayer<XYZ>({ visible: true });
  private readonly probability = new TileLayer<XYZ>({ opacity: 0.75 });
  private readonly landslides = new VectorTileLayer({ style: (feature) => (feature.getId() === this.selected ? chosen : outline) });
  private readonly popup: Overlay;
  private selected: number | string | undefined;
  private swipeAt = -1;
  private event = '';

  constructor(target: HTMLElement, popup: HTMLElement, onPick: (id: number | string, at: number[]) => void) {
    this.popup = new Overlay({ element: popup, autoPan: { animation: { duration: 200 } }, positioning: 'bottom-center', offset: [0, -8] });
    this.map = new OlMap({
      target,
      layers: [this.osm, this.pre, this.post, this.probability, this.landslides],
      overlays: [this.popup],
      controls: defaultControls({ attributionOptions: { collapsible: true } }).extend([new ScaleLine()]),
      view: new View({ center: [0, 0], zoom: 2, maxZoom: 19 }),
    });
    // Programs that read the screen, and tests, can tell when everything is drawn.
    this.map.on('loadstart', () => target.setAttribute('aria-busy', 'true'));
    this.map.on('loadend', () => target.setAttribute('aria-busy', 'false'));
    this.post.on('prerender', (event) => this.clip(event));
    this.post.on('postrender', (event) => (event.context as CanvasRenderingContext2D).restore());
    this.map.on('singleclick', (event) => {
      const hit = this.map.forEachFeatureAtPixel(event.pixel, (feature) => feature, {
        layerFilter: (layer) => layer === this.landslides,
        hitTolerance: 4,
      });
      const id = hit?.getId() ?? hit?.get('id');
      if (id === undefined) this.closePopup();
      else onPick(id as number, event.coordinate);
    });
    this.map.on('pointermove', (event) => {
      if (event.dragging) return;
      const hit = this.map.hasFeatureAtPixel(event.pixel, { layerFilter: (layer) => layer === this.landslides });
      target.style.cursor = hit ? 'pointer' : '';
    });
  }

  /** show points every layer at the event's tiles and moves the view to its bounds. */
  show(event: string, bounds: number[], model?: string): void {
    this.event = event;
    const extent = transformExtent(bounds, 'EPSG:4326', 'EPSG:3857');
    this.pre.setSource(imageSource(tileURL(event, 'pre')));
    this.post.setSource(imageSource(tileURL(event, 'post')));
    this.setModel(model);
    for (const layer of [this.pre, this.post, this.probability, this.landslides]) layer.setExtent(extent);
    this.refreshLandslides();
    this.map.getView().fit(extent, { padding: this.padding(), duration: 0 });
  }

  setModel(model?: string): void {
    this.probability.setSource(imageSource(tileURL(this.event, 'probability', model)));
  }

  /** refreshLandslides asks for the polygons anew, after a run has been published. */
  refreshLandslides(): void {
    this.landslides.setSource(
      new VectorTileSource({ format: new MVT({ idProperty: 'id' }), url: vectorTileURL(this.event, Date.now().toString(36)), maxZoom: 16 }),
    );
  }

  setVisible(name: LayerName | 'osm', visible: boolean): void {
    this[name].setVisible(visible);
  }

  setOpacity(opacity: number): void {
    this.probability.setOpacity(opacity);
  }

  /** setSwipe shows the picture after the event only right of the fraction of the map's width; −1 shows all of it. */
  setSwipe(fraction: number): void {
    this.swipeAt = fraction;
    this.map.render();
  }

  /** zoomTo moves the view to the bounds and resolves when it is there. */
  zoomTo(bounds: number[]): Promise<void> {
    return new Promise((resolve) =>
      this.map.getView().fit(transformExtent(bounds, 'EPSG:4326', 'EPSG:3857'), {
        padding: this.padding(),
        maxZoom: 16,
        duration: 350,
        callback: () => resolve(),
      }),
    );
  }

  /** visibleBounds returns west, south, east, north of what is in view. */
  visibleBounds(): number[] {
    return transformExtent(this.map.getView().calculateExtent(this.map.getSize()), 'EPSG:3857', 'EPSG:4326');
  }

  openPopup(at: number[], id: number | string): void {
    this.selected = id;
    this.landslides.changed();
    this.popup.setPosition(at);
  }

  closePopup(): void {
    this.selected = undefined;
    this.landslides.changed();
    this.popup.setPosition(undefined);
  }

  // The panel covers part of the map: what is zoomed to must lie beside it.
  private padding(): number[] {
    const panel = document.getElementById('panel')!.getBoundingClientRect();
    return panel.width < innerWidth * 0.7 ? [24, 24, 24, panel.right + 24] : [24, 24, innerHeight - panel.top + 24, 24];
  }

  private clip(event: RenderEvent): void {
    const context = event.context as CanvasRenderingContext2D;
    context.save();
    if (this.swipeAt < 0) return;
    const [width, height] = this.map.getSize()!;
    const x = width * this.swipeAt;
    context.beginPath();
    const corners = [
      [x, 0],
      [width, 0],
      [width, height],
      [x, height],
    ].map((corner) => getRenderPixel(event, corner));
    corners.forEach(([cx, cy], i) => (i ? context.lineTo(cx, cy) : context.moveTo(cx, cy)));
    context.closePath();
    context.clip();
  }
}

const outline = new Style({ stroke: new Stroke({ color: '#ffd23f', width: 1.75 }), fill: new Fill({ color: 'rgba(255, 210, 63, 0.10)' }) });
const chosen = new Style({ stroke: new Stroke({ color: '#ffffff', width: 3 }), fill: new Fill({ color: 'rgba(255, 255, 255, 0.20)' }) });

function imageSource(url: string): XYZ {
  const source: XYZ = new XYZ({
    url,
    attributions: attribution,
    transition: 150,
    crossOrigin: 'anonymous',
    tileLoadFunction: (tile, src) => load(tile, src, () => source.changed()),
  });
  return source;
}

// A tile may come back incomplete (not everything predicted yet) or refused
// because the server is busy; both are asked for again after a while, a
// bounded number of times.
function load(tile: Tile, src: string, redraw: () => void): void {
  const image = (tile as ImageTile).getImage() as HTMLImageElement;
  void attempt(0);

  async function attempt(tries: number): Promise<void> {
    try {
      const response = await fetch(src);
      if (response.status === 429 || response.status === 503) {
        if (tries >= 8) throw new Error('server busy');
        setTimeout(() => void attempt(tries + 1), 1000 * Math.max(1, Number(response.headers.get('Retry-After') ?? 1)));
        return;
      }
      if (!response.ok) {
        image.src = empty; // outside the limits of the event: nothing to draw
        return;
      }
      const object = URL.createObjectURL(await response.blob());
      image.addEventListener(
        'load',
        () => {
          URL.revokeObjectURL(object);
          if (tries > 0) redraw();
        },
        { once: true },
      );
      image.src = object;
      if (response.headers.get('Scarp-Complete') === 'false' && tries < 12) {
        setTimeout(() => void attempt(tries + 1), 2500);
      }
    } catch {
      image.src = 'data:,'; // an image that fails makes OpenLayers mark the tile as failed
    }
  }
}

const empty = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';
