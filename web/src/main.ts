// The map page: choose an event, look at it before and after, see where new
// landslides are likely, map them, and ask each polygon what is known of it.
import './style.css';
import * as api from './api';
import { el, toast } from './dom';
import { area, compass, count, date, percent } from './format';
import { MapView } from './map';
import { mappingBox } from './mapping';

const panel = document.getElementById('panel')!;
const popup = document.getElementById('popup')!;
const view = new MapView(document.getElementById('map')!, popup, (id, at) => void showLandslide(id, at));
let current: api.ScarpEvent | undefined;

void start();

async function start(): Promise<void> {
  panel.replaceChildren(header(), el('p', { class: 'quiet' }, 'Loading…'));
  try {
    const [events, models] = await Promise.all([api.events(), api.models()]);
    if (events.length === 0) return showNoEvents();
    build(events, models);
  } catch (error) {
    panel.replaceChildren(
      header(),
      el('p', { class: 'error' }, `The server did not answer: ${(error as Error).message}`),
      el('button', { onclick: () => void start() }, 'Try again'),
    );
  }
}

function header(): HTMLElement {
  return el(
    'header',
    {},
    el('img', { src: `${api.base}/icon.svg`, alt: '', width: 28, height: 28 }),
    el('h1', {}, 'Scarp'),
    el('nav', {}, el('a', { href: `${api.base}/?f=html` }, 'API'), el('a', { href: `${api.base}/collections?f=html` }, 'Data')),
  );
}

function showNoEvents(): void {
  panel.replaceChildren(
    header(),
    el('h2', {}, 'No events yet'),
    el('p', {}, 'An event is a pair of Sentinel-2 images, before and after, and a DEM. Add one on the server:'),
    el('pre', {}, 'scarp simulate -o data/demo\nscarp event add data/demo/event.yaml'),
    el('button', { onclick: () => void start() }, 'Look again'),
  );
}

function build(events: api.ScarpEvent[], models: api.Model[]): void {
  const details = el('div', { class: 'details' });
  const list = el('ol', { class: 'list', id: 'landslides' });
  const listTitle = el('h2', {}, 'Landslides');
  const legend = el('img', { class: 'legend', alt: 'Legend of the probability of a new landslide' });
  const mapping = mappingBox({
    models,
    visibleBounds: () => view.visibleBounds(),
    onModel: (model) => view.setModel(model),
    onPublished: (event) => {
      if (current?.id !== event) return;
      view.refreshLandslides();
      void fillList(event);
    },
  });

  const chooser = el(
    'select',
    { id: 'event', 'aria-label': 'Event', onchange: () => void choose(chooser.value) },
    ...events.map((event) => el('option', { value: event.id }, event.title)),
  );

  async function choose(id: string): Promise<void> {
    const event = events.find((e) => e.id === id);
    if (!event) return;
    current = event;
    chooser.value = id;
    view.closePopup();
    location.hash = id;
    mapping.setEvent(event);
    details.replaceChildren(
      el('p', {}, event.trigger.type ? `${event.trigger.type[0].toUpperCase()}${event.trigger.type.slice(1)}` : 'Trigger', ', ', date(event.trigger.time)),
      ...(event.description ? [el('p', { class: 'quiet' }, event.description)] : []),
    );
    legend.src = api.legendURL(id, 'probability');
    try {
      const [before, after] = await Promise.all([api.collection(id, 'pre'), api.collection(id, 'post')]);
      if (current !== event) return;
      beforeDate.textContent = date(before.extent?.temporal?.interval[0]?.[1]);
      afterDate.textContent = date(after.extent?.temporal?.interval[0]?.[0]);
      view.show(id, after.extent!.spatial!.bbox[0], mapping.model());
      void fillList(id);
    } catch (error) {
      toast(`${event.title}: ${(error as Error).message}`);
    }
  }

  async function fillList(id: string): Promise<void> {
    const found = await api.landslides(id, 1000).catch(() => undefined);
    if (current?.id !== id) return;
    const features = (found?.features ?? []).toSorted((a, b) => b.properties!.area_m2 - a.properties!.area_m2);
    listTitle.textContent = features.length ? `Landslides (${count(found!.numberMatched)})` : 'Landslides';
    list.replaceChildren(
      ...(features.length
        ? features.slice(0, 50).map((feature) =>
            el(
              'li',
              {},
              el(
                'button',
                { class: 'row', onclick: () => void go(feature) },
                el('span', {}, area(feature.properties!.area_m2)),
                el('span', { class: 'quiet' }, `${percent(feature.properties!.probability_mean)} · ${Math.round(feature.properties!.slope_mean_deg)}° slope`),
              ),
            ),
          )
        : [el('li', { class: 'quiet' }, 'None yet: map the event to get polygons.')]),
    );
  }

  async function go(feature: GeoJSON.Feature): Promise<void> {
    const bounds = boundsOf(feature.geometry);
    view.closePopup();
    await view.zoomTo(bounds); // a pop-up moves the view too, if it must to be seen whole
    const middle = [(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2];
    await showLandslide(feature.id!, mercator(middle));
  }

  const beforeDate = el('span', { class: 'quiet' });
  const afterDate = el('span', { class: 'quiet' });
  const swipe = el('input', { type: 'range', min: '0', max: '1', step: '0.005', value: '0.5', hidden: true, 'aria-label': 'Divide before and after', oninput: () => view.setSwipe(Number(swipe.value)) });
  const picture = (value: string, label: string, ...more: HTMLElement[]): HTMLElement =>
    el(
      'label',
      { class: 'check' },
      el('input', { type: 'radio', name: 'picture', value, checked: value === 'post', onchange: () => showPicture(value) }),
      label,
      ...more,
    );
  function showPicture(value: string): void {
    view.setVisible('pre', value !== 'post');
    view.setVisible('post', value !== 'pre');
    swipe.hidden = value !== 'swipe';
    view.setSwipe(value === 'swipe' ? Number(swipe.value) : -1);
  }
  const opacity = el('input', { type: 'range', min: '0', max: '1', step: '0.05', value: '0.75', 'aria-label': 'Opacity of the probability', oninput: () => view.setOpacity(Number(opacity.value)) });
  const toggle = (name: 'probability' | 'landslides' | 'osm', label: string): HTMLElement =>
    el('label', { class: 'check' }, el('input', { type: 'checkbox', checked: true, name, onchange: (e: Event) => view.setVisible(name, (e.target as HTMLInputElement).checked) }), label);

  panel.replaceChildren(
    header(),
    el('section', {}, chooser, details),
    el('section', {}, el('h2', {}, 'Picture'), picture('pre', 'Before', beforeDate), picture('post', 'After', afterDate), picture('swipe', 'Compare'), swipe),
    el('section', {}, el('h2', {}, 'Layers'), toggle('probability', 'Probability of a new landslide'), opacity, legend, toggle('landslides', 'Mapped landslides'), toggle('osm', 'OpenStreetMap')),
    mapping.element,
    el('section', {}, listTitle, list),
  );
  showPicture('post');
  const wanted = new URLSearchParams(location.search).get('event') ?? location.hash.slice(1);
  void choose(events.some((e) => e.id === wanted) ? wanted : events[0].id);
}

async function showLandslide(id: number | string, at: number[]): Promise<void> {
  if (!current) return;
  try {
    const { properties: p } = await api.landslide(current.id, id);
    if (!p) return;
    const rows: [string, string][] = [
      ['Area', area(p.area_m2)],
      ['Length × width', `${count(p.length_m)} × ${count(p.width_m)} m`],
      ['Probability', `${percent(p.probability_mean)} (highest ${percent(p.probability_max)})`],
      ['Elevation', `${count(p.elevation_min_m)} to ${count(p.elevation_max_m)} m`],
      ['Slope', `${Math.round(p.slope_mean_deg)}°, facing ${compass(p.aspect_deg)}`],
      ...(p.delta_ndvi_mean == null ? [] : [['Change of NDVI', Number(p.delta_ndvi_mean).toFixed(2)] as [string, string]]),
      ['Between', `${date(p.pre_date)} and ${date(p.post_date)}`],
      ['Model', `${p.model} ${p.model_version}`],
      ...(p.cloud_adjacent ? [['Note', 'touches cloud: may be larger'] as [string, string]] : []),
    ];
    popup.replaceChildren(
      el('button', { class: 'close', 'aria-label': 'Close', onclick: () => view.closePopup() }, '×'),
      el('h3', {}, `Landslide ${id}`),
      el('dl', {}, ...rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
    );
    popup.hidden = false;
    view.openPopup(at, id);
  } catch (error) {
    toast((error as Error).message);
  }
}

function boundsOf(geometry: GeoJSON.Geometry): number[] {
  const points = (geometry as GeoJSON.Polygon).coordinates.flat(geometry.type === 'MultiPolygon' ? 2 : 1) as unknown as number[][];
  const xs = points.map((p) => p[0]);
  const ys = points.map((p) => p[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

function mercator([lon, lat]: number[]): number[] {
  const radius = 6378137;
  return [(lon * Math.PI * radius) / 180, radius * Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360))];
}
