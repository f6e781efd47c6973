// Draws a collection with the layers of OpenLayers and Leaflet that speak the
// server's standards, each in a map of its own, in a real browser, and compares
// the middle of each with a map from the server itself:
// node clients.mjs URL COLLECTION. Prints what it saw as JSON; exits with 1 and
// the reason when something is not as it should be.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [url, collection] = process.argv.slice(2);
const executablePath = [process.env.SCARP_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
assert.ok(executablePath, 'no Chromium found: install it or name one in SCARP_CHROMIUM');
const require = createRequire(import.meta.url);

const side = 256; // of a map, in pixels
const zoom = 14;
const get = async (path) => {
  const answer = await fetch(url + path);
  assert.ok(answer.ok, `${answer.status} ${path}`);
  return answer;
};
const about = await (await get(`/collections/${collection}?f=json`)).json();
const [west, south, east, north] = about.extent.spatial.bbox[0];
const center = [(west + east) / 2, (south + north) / 2];
// The same ground in a map of the server's own, which is what all others must show.
const resolution = 156543.03392804097 / 2 ** zoom;
const reference = `/collections/${collection}/map?f=png&crs=[EPSG:3857]&center=${center}&width=${side}&height=${side}&scale-denominator=${resolution / 0.00028}`;

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

  const want = await mean(page, Buffer.from(await (await get(reference)).arrayBuffer()));
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
  assert.deepEqual(errors, [], 'errors in the browser');
  console.log(JSON.stringify({ want, seen }));
} finally {
  await browser.close();
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
