// Uses the page to try the API with, in a real browser: node try.mjs URL.
// Exits with 1 and the reason when something is not as it should be.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const url = process.argv[2];
const executablePath = [process.env.SCARP_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
assert.ok(executablePath, 'no Chromium found: install it or name one in SCARP_CHROMIUM');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  const problems = [];
  const elsewhere = [];
  page.on('pageerror', (e) => problems.push(String(e)));
  page.on('console', (m) => m.type() === 'error' && problems.push(m.text()));
  page.on('request', (r) => !/^(data|blob):/.test(r.url()) && !r.url().startsWith(url) && elsewhere.push(r.url()));
  await page.goto(`${url}/try.html`);
  const operation = page.locator('#operations-Capabilities-getConformance');
  await operation.waitFor();
  const operations = await page.locator('.opblock').count();
  assert.ok(operations > 40, `${operations} operations`);
  await operation.locator('button.opblock-summary-control').click();
  await operation.locator('button.execute').click();
  const answer = operation.locator('.live-responses-table');
  await answer.waitFor();
  const text = await answer.innerText();
  assert.match(text, /200/);
  assert.match(text, /conformsTo/);
  assert.deepEqual(elsewhere, [], 'nothing comes from elsewhere');
  assert.deepEqual(problems, []);
  console.log(JSON.stringify({ operations }));
} finally {
  await browser.close();
}
