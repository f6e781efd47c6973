// Runs processes from the forms that their descriptions make, as a person
// would, in a real browser: node processes.mjs URL EVENT SCREENSHOT-FOLDER.
// Prints what it saw as JSON; exits with 1 and the reason when something is wrong.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [url, event, folder] = process.argv.slice(2);
const executablePath = [process.env.SCARP_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
assert.ok(executablePath, 'no Chromium found: install it or name one in SCARP_CHROMIUM');

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--no-first-run'] });
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 1200 } });
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));

  // Every kind of field of echo.
  await page.goto(`${url}/processes/echo?f=html`);
  await page.fill('[name=message]', 'hello');
  await page.fill('[name=count]', '7');
  await page.selectOption('[name=flag]', 'true');
  await page.selectOption('[name=colour]', { label: 'green' });
  await page.fill('[name=numbers]', '[1, 2, 3]');
  await page.fill('[name=document]', 'a line of text');
  await page.screenshot({ path: `${folder}/process-echo.png` });
  const echo = await results(page);
  assert.deepEqual(echo, { message: 'hello', count: 7, flag: true, colour: 'green', numbers: [1, 2, 3], document: 'a line of text' });

  // JSON that is none is said before anything is sent.
  await page.goto(`${url}/processes/echo?f=html`);
  await page.fill('[name=numbers]', '[1, 2');
  await page.click('form#execute button');
  await page.waitForFunction(() => document.getElementById('outcome').textContent.startsWith('numbers: '));

  // Vector data: a collection by its id, GeoJSON as it is.
  await page.goto(`${url}/processes/assess-impact?f=html`);
  await page.fill('[name=landslides]', `${event}_landslides`);
  const [west, south, east, north] = (await (await fetch(`${url}/collections/${event}_landslides`)).json()).extent.spatial.bbox[0];
  const road = { type: 'LineString', coordinates: [[west, south], [east, north]] };
  await page.fill('[name=exposed]', JSON.stringify(road));
  await page.screenshot({ path: `${folder}/process-impact.png` });
  const impact = await results(page);
  assert.equal(impact.summary.value.lines.features, 1);
  await page.screenshot({ path: `${folder}/process-job.png` });
  // Mapping: part of an event, and images by their names.
  await page.goto(`${url}/processes/map-landslides?f=html`);
  await page.selectOption('[name=event]', event);
  await page.fill('[name=aoi]', '141.9 42.6 142.1 42.8');
  await page.click('form#execute button');
  await page.waitForFunction(() => document.getElementById('outcome').textContent.startsWith('aoi: give west, south, east, north'));
  await page.fill('[name=aoi]', [west, south, (west + east) / 2, north].join(', '));
  await page.screenshot({ path: `${folder}/process-map.png`, fullPage: true });
  const mapped = await results(page);
  assert.ok(mapped.summary.value.mapped_area_m2 > 0);
  await page.goto(`${url}/processes/map-landslides?f=html`);
  await page.selectOption('[name=event]', '');
  await page.fill('[name=pre]', 'nowhere/pre1.tif\nnowhere/pre2.tif');
  await page.fill('[name=post]', 'nowhere/post.tif');
  await page.fill('[name=dem]', 'nowhere/dem.tif');
  await page.fill('[name=triggerTime]', '2018-09-05T18:07:59Z');
  await page.click('form#execute button');
  await page.waitForFunction(() => document.getElementById('outcome').textContent.includes('nowhere/pre1.tif'));
  assert.deepEqual(errors, []);
  console.log(JSON.stringify({ echo, lines: impact.summary.value.lines }));
} finally {
  await browser.close();
}

// results starts the job of the form and waits on its page for what it gives.
async function results(page) {
  await Promise.all([page.waitForURL(/\/jobs\//), page.click('form#execute button')]);
  await page.waitForSelector('#job[data-status=successful]', { timeout: 120_000 });
  return (await fetch(`${await page.getAttribute('#job', 'data-href')}/results?f=json`)).json();
}
