// Draws a collection with the layers of OpenLayers and Leaflet that speak the
// server's standards, each in a map of its own, in a real browser, and compares
// the middle of each with a map from the server itself; then the polygons of
// another collection, pixel by pixel with the server's drawing of them:
// node clients.mjs URL COLLECTION LANDSLIDES. Prints what it saw as JSON; exits with 1 and
// the reason when something is not as it should be.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [url, collection, landslides] = process.argv.slice(2);
const executablePath = [process.env.SCARP_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
assert.ok(executablePath, 'no Chromium found: install it or name one in SCARP_CHROMIUM');
const require = createRequire(import.meta.url);

const side = 256; // of a map, in pixels
const zoom = 14;
const close = 16; // to see polygons and not outlines alone
const get = async (path) => {
  const answer = await fetch(url + path);
  assert.ok(answer.ok, `${answer.status} ${path}`);
  return answer;
};
const about = await (await get(`/collections/${collection}?f=json`)).json();
const [west, south, east, north] = about.extent.spatial.bbox[0];
const center = [(west + east) / 2, (south + north) / 2];
// The same ground in a map of the server's own, which is what all others must show.
const resolution = (z) => 156543.03392804097 / 2 ** z;
const mapOf = (id, at, z) => `/collections/${id}/map?f=png&crs=[EPSG:3857]&center=${at}&width=${side}&height=${side}&scale-denominator=${resolution(z) / 0.00028}`;

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
});
try {
  const page = await browser.newPage({ viewport: { width: side, height: side } });
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('response', (response) => {
    if (response.status() >= 400) errors.push(`${response.status()} ${response.url()}`);
  });
  await page.route('**/blank.html', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>clients</title><style>body{margin:0}.leaflet-control-container,.ol-control{display:none}</style>' }));
  await page.goto(`${url}/blank.html`);
  await page.addScriptTag({ path: require.resolve('ol/dist/ol.js') });
  await page.addScriptTag({ path: require.resolve('leaflet/dist/leaflet.js') });
  await page.addStyleTag({ path: require.resolve('leaflet/dist/leaflet.css') });

  const want = await mean(page, Buffer.from(await (await get(mapOf(collection, center, zoom))).arrayBuffer()));
  const seen = {};
  for (const client of [
    'OpenLayers OGCMapTile', 'OpenLayers TileWMS 1.3.0', 'OpenLayers TileWMS 1.1.1', 'OpenLayers WMTS KVP', 'OpenLayers WMTS REST', 'OpenLayers XYZ @2x',
    'Leaflet TileLayer', 'Leaflet TileLayer.WMS', 'Leaflet TileLayer WMTS',
  ]) {
    await page.evaluate(draw, { client, url, collection, center, zoom, side });
    const got = await mean(page, await page.screenshot());
    seen[client] = got;
    for (const [i, v] of got.entries()) assert.ok(Math.abs(v - want[i]) < 8, `${client}: the middle is ${got}, not ${want}`);
  }
  const polygons = await largest(landslides);
  const drawn = await pixels(page, Buffer.from(await (await get(mapOf(landslides, polygons, close))).arrayBuffer()));
  const vectors = {};
  for (const client of ['OpenLayers OGCVectorTile', 'OpenLayers OGCVectorTile GeoJSON']) {
    await page.evaluate(drawVectors, { client, url, collection: landslides, center: polygons, zoom: close, side });
    vectors[client] = compare(client, drawn, await pixels(page, await page.screenshot()));
  }
  assert.deepEqual(errors, [], 'errors in the browser');
  console.log(JSON.stringify({ want, seen, vectors }));
} finally {
  await browser.close();
}

/** largest returns the middle of the largest landslide's box. */
async function largest(id) {
  const { features } = await (await get(`/collections/${id}/items?f=json&sortby=-area_m2&limit=1`)).json();
  const ring = features[0].geometry.coordinates[0];
  return [0, 1].map((axis) => {
    const values = ring.map((corner) => corner[axis]);
    return (Math.min(...values) + Math.max(...values)) / 2;
  });
}

/** compare counts the pixels amid polygons and amid nothing; both pictures must agree on each of them. */
function compare(client, drawn, shown) {
  const colour = (picture, x, y) => picture.readUInt32BE(4 * (y * side + x));
  const fill = mostFrequent(drawn); // outlines, which are wider than the polygons, have another
  const counts = { inside: 0, outside: 0, differ: 0 };
  for (let y = 1; y < side - 1; y++) {
    for (let x = 1; x < side - 1; x++) {
      const around = new Set();
      for (let k = 0; k < 9; k++) around.add(colour(drawn, x - 1 + (k % 3), y - 1 + Math.floor(k / 3)));
      if (around.size > 1 || !(around.has(0) || around.has(fill))) continue;
      counts[around.has(0) ? 'outside' : 'inside']++;
      if ((colour(shown, x, y) === 0xff0000ff) === around.has(0)) counts.differ++;
    }
  }
  assert.ok(counts.inside > 50 && counts.outside > 50, `${client}: too little to compare: ${JSON.stringify(counts)}`);
  assert.equal(counts.differ, 0, `${client}: pixels that differ from the server's own picture: ${JSON.stringify(counts)}`);
  return counts;
}

/** mostFrequent returns the colour that most pixels have which are not transparent. */
function mostFrequent(picture) {
  const counts = new Map();
  for (let i = 0; i < picture.length; i += 4) {
    const colour = picture.readUInt32BE(i);
    if (colour) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0][0];
}

/** pixels returns all bytes of a PNG: red, green, blue, alpha. */
async function pixels(page, png) {
  return Buffer.from(
    await page.evaluate(async (base64) => {
      const image = new Image();
      image.src = `data:image/png;base64,${base64}`;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, image.width, image.height).data];
    }, png.toString('base64')),
  );
}

/** drawVectors runs in the page: it fills a collection's polygons red, and ends when all of them are drawn. */
async function drawVectors({ client, url, collection, center, zoom, side }) {
  document.body.replaceChildren();
  const target = document.body.appendChild(document.createElement('div'));
  target.style.cssText = `width:${side}px;height:${side}px`;
  const ol = window.ol;
  const source = new ol.source.OGCVectorTile({
    url: `${url}/collections/${collection}/tiles/WebMercatorQuad`,
    format: client.endsWith('GeoJSON') ? new ol.format.GeoJSON() : new ol.format.MVT(),
  });
  const map = new ol.Map({
    target,
    controls: [],
    layers: [new ol.layer.VectorTile({ source, style: new ol.style.Style({ fill: new ol.style.Fill({ color: 'rgb(255, 0, 0)' }) }) })],
    view: new ol.View({ center: ol.proj.fromLonLat(center), zoom }),
  });
  await new Promise((resolve, reject) => {
    let tiles = 0;
    source.on('tileloadend', () => tiles++);
    source.once('tileloaderror', () => reject(new Error(`${client}: a tile is not there`)));
    source.on('change', () => source.getState() === 'error' && reject(new Error(`${client}: the tileset can't be read`)));
    map.on('rendercomplete', () => tiles && resolve()); // the first comes before the tileset's description
  });
}

/** mean returns the mean colour of the middle of a PNG, rounded. */
function mean(page, png) {
  return page.evaluate(async (base64) => {
    const image = new Image();
    image.src = `data:image/png;base64,${base64}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(image.width / 4, image.height / 4, image.width / 2, image.height / 2);
    const sum = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) for (let k = 0; k < 3; k++) sum[k] += data[i + k];
    return sum.map((v) => Math.round(v / (data.length / 4)));
  }, png.toString('base64'));
}

/** draw runs in the page: it shows the collection with a client's layer, and ends when all of it is drawn. */
async function draw({ client, url, collection, center, zoom, side }) {
  document.body.replaceChildren();
  const target = document.body.appendChild(document.createElement('div'));
  target.style.cssText = `width:${side}px;height:${side}px`;
  const tiles = `${url}/collections/${collection}/map/tiles`;

  if (client.startsWith('Leaflet')) {
    const L = window.L;
    const layer = {
      'Leaflet TileLayer': () => L.tileLayer(`${tiles}/WebMercatorQuad/{z}/{y}/{x}?f=png`),
      'Leaflet TileLayer.WMS': () => L.tileLayer.wms(`${url}/wms`, { layers: collection, format: 'image/png', transparent: true }),
      'Leaflet TileLayer WMTS': () => L.tileLayer(`${url}/wmts/1.0.0/${collection}/default/WebMercatorQuad/{z}/{y}/{x}.png`),
    }[client]();
    const map = L.map(target, { zoomControl: false, attributionControl: false, fadeAnimation: false, zoomAnimation: false });
    const loaded = new Promise((resolve, reject) => {
      layer.once('load', resolve);
      layer.once('tileerror', () => reject(new Error(`${client}: a tile is not there`)));
    });
    map.setView([center[1], center[0]], zoom);
    layer.addTo(map);
    await loaded;
    return;
  }

  const ol = window.ol;
  const wmts = async () => new ol.format.WMTSCapabilities().read(await (await fetch(`${url}/wmts?service=WMTS&request=GetCapabilities`)).text());
  const source = {
    'OpenLayers OGCMapTile': () => new ol.source.OGCMapTile({ url: `${tiles}/WebMercatorQuad` }),
    'OpenLayers TileWMS 1.3.0': () => new ol.source.TileWMS({ url: `${url}/wms`, params: { LAYERS: collection, VERSION: '1.3.0' } }),
    'OpenLayers TileWMS 1.1.1': () => new ol.source.TileWMS({ url: `${url}/wms`, params: { LAYERS: collection, VERSION: '1.1.1' } }),
    'OpenLayers WMTS KVP': async () => new ol.source.WMTS(ol.source.WMTS.optionsFromCapabilities(await wmts(), { layer: collection, matrixSet: 'WebMercatorQuad', requestEncoding: 'KVP' })),
    'OpenLayers WMTS REST': async () => new ol.source.WMTS(ol.source.WMTS.optionsFromCapabilities(await wmts(), { layer: collection, matrixSet: 'WebMercatorQuad', requestEncoding: 'REST' })),
    'OpenLayers XYZ @2x': () => new ol.source.XYZ({ url: `${tiles}/WebMercatorQuad/{z}/{y}/{x}@2x?f=png`, tilePixelRatio: 2 }),
  }[client];
  const tiled = await source();
  await new Promise((resolve, reject) => { // some read a description of their tiles first
    const look = () => {
      if (tiled.getState() === 'ready') resolve();
      if (tiled.getState() === 'error') reject(new Error(`${client}: the tileset can't be read`));
    };
    tiled.on('change', look);
    look();
  });
  const map = new ol.Map({
    target,
    controls: [],
    layers: [new ol.layer.Tile({ source: tiled })],
    view: new ol.View({ center: ol.proj.fromLonLat(center), zoom }),
  });
  await new Promise((resolve, reject) => {
    map.once('rendercomplete', resolve);
    tiled.once('tileloaderror', () => reject(new Error(`${client}: a tile is not there`)));
  });
}
