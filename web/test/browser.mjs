// Uses the map page as a person would, in a real browser, against a running
// server: node browser.mjs URL SCREENSHOT-FOLDER. Prints what it saw as JSON;
// exits with 1 and the reason when something is not as it should be.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [url, folder] = process.argv.slice(2);
const executablePath = [process.env.SCARP_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
assert.ok(executablePath, 'no Chromium found: install it or name one in SCARP_CHROMIUM');

const tiles = new Map(); // answered, by layer
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('response', (response) => {
    if (response.url().startsWith(url) && response.status() >= 400 ) errors.push(`${response.status()} ${response.url()}`);
  });
  // The base map is the only thing that comes from elsewhere: tests do without.
  await page.route(/openstreetmap\.org/, (route) => route.abort());

  await page.goto(url);
  await page.waitForSelector('#event');
  const event = await page.$eval('#event', (select) => select.selectedOptions[0].textContent);

  // The layers of the chosen event are drawn: pictures, probability.
  page.on('response', (response) => {
    const layer = /collections\/[a-z0-9-]+_(\w+)\/(map\/)?tiles/.exec(response.url())?.[1];
    if (layer && response.ok()) tiles.set(layer, (tiles.get(layer) ?? 0) + 1);
  });
  await page.reload();
  await page.waitForSelector('#event');
  for (const layer of ['post', 'probability', 'landslides']) await answered(layer);
  await idle(page);
  const colours = await coloursInTheMiddle(page);
  assert.ok(colours > 50, `the middle of the map shows only ${colours} colours: the pictures are not drawn`);
  await page.screenshot({ path: `${folder}/event.png` });

  // Compare before and after.
  await page.check('input[name=picture][value=swipe]');
  await answered('pre');
  await page.check('input[name=picture][value=post]');

  // Map the event and see the polygons.
  await page.click('#map-event');
  await page.waitForSelector('#job-result:not([hidden])', { timeout: 240_000 });
  const result = await page.textContent('#job-result');
  const found = Number(/^([\d,]+) landslide/.exec(result)?.[1].replaceAll(',', ''));
  assert.ok(found > 0, `mapping found no landslides: ${result}`);
  await page.waitForSelector('#landslides .row');

  // Attributes of the largest.
  await page.click('#landslides li:first-child .row');
  await page.waitForSelector('#popup dl');
  const popup = await page.textContent('#popup');
  assert.match(popup, /Area.*(ha|m²|km²)/s);
  await idle(page);
  await page.screenshot({ path: `${folder}/landslide.png` });

  // A click on a polygon opens it too.
  await page.click('#popup .close');
  await page.setViewportSize({ width: 375, height: 740 });
  await idle(page);
  await page.screenshot({ path: `${folder}/phone.png` });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.ok(!overflow, 'the page is wider than a phone');

  assert.deepEqual(errors, [], 'errors in the browser');
  console.log(JSON.stringify({ event, found, colours, tiles: Object.fromEntries(tiles) }));
} finally {
  await browser.close();
}

/** idle waits until the map has asked for and drawn everything. */
async function idle(page) {
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await page.waitForFunction(() => document.getElementById('map').getAttribute('aria-busy') === 'false', undefined, { timeout: 120_000 });
}

/** answered waits until the server has answered for a tile of the layer. */
async function answered(layer) {
  for (let tries = 0; !tiles.get(layer); tries++) {
    assert.ok(tries < 600, `no tile of ${layer} was asked for and answered`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** coloursInTheMiddle counts the colours of a screenshot's middle, away from the panel. */
async function coloursInTheMiddle(page) {
  const png = await page.screenshot({ clip: { x: 640, y: 250, width: 300, height: 300 } });
  return page.evaluate(async (base64) => {
    const image = new Image();
    image.src = `data:image/png;base64,${base64}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
  }, png.toString('base64'));
}
