// The process page's form, and the job page's live progress.
'use strict';

const byId = (id) => document.getElementById(id);

function headers(extra) {
  const key = byId('key') && byId('key').value;
  return key ? { ...extra, 'X-API-Key': key } : extra;
}

async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  return problem.detail || problem.title || `${response.status} ${response.statusText}`;
}

function parsed(field) {
  try {
    return JSON.parse(field.value);
  } catch (e) {
    throw new Error(`${field.name}: ${e.message}`);
  }
}

// What stands in a field for vector data: GeoJSON, a collection's id, or a file.
function vector(field) {
  const text = field.value.trim();
  if (text.startsWith('{')) return parsed(field);
  if (/^[a-z0-9-]+_landslides$/.test(text)) return { collection: text };
  return { href: text };
}

const isJSON = (text) => /^\s*[{["]/.test(text);

// An area: a bounding box, or GeoJSON.
function area(field) {
  if (isJSON(field.value)) return parsed(field);
  const parts = field.value.split(',');
  const numbers = parts.map(Number);
  if (parts.length !== 4 || parts.some((part) => part.trim() === '') || !numbers.every(Number.isFinite)) {
    throw new Error(`${field.name}: give west, south, east, north as four numbers with commas between them, or GeoJSON`);
  }
  return { bbox: numbers };
}

// References to scenes, one a line, or JSON.
function scenes(field) {
  if (isJSON(field.value)) return parsed(field);
  const lines = field.value.split('\n').map((line) => line.trim()).filter((line) => line);
  return lines.length === 1 ? lines[0] : lines;
}

function inputs(form) {
  const values = {};
  for (const field of form.querySelectorAll('[name]')) {
    if (field.value.trim() === '') continue;
    if (field.dataset.type === 'number') values[field.name] = Number(field.value);
    else if (field.dataset.type === 'json') values[field.name] = parsed(field);
    else if (field.dataset.type === 'either') values[field.name] = isJSON(field.value) ? parsed(field) : field.value;
    else if (field.dataset.type === 'vector') values[field.name] = vector(field);
    else if (field.dataset.type === 'area') values[field.name] = area(field);
    else if (field.dataset.type === 'scenes') values[field.name] = scenes(field);
    else values[field.name] = field.value;
  }
  return values;
}

const form = byId('execute');
if (form) {
  for (const file of form.querySelectorAll('[data-into]')) {
    file.addEventListener('change', async () => {
      if (file.files[0]) form.elements[file.dataset.into].value = await file.files[0].text();
    });
  }
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    let body;
    try {
      body = JSON.stringify({ inputs: inputs(form) });
    } catch (e) {
      byId('outcome').textContent = e.message;
      return;
    }
    const response = await fetch(form.dataset.href, {
      method: 'POST',
      headers: headers({ 'Content-Type': 'application/json', Accept: 'application/json', Prefer: 'respond-async' }),
      body,
    });
    if (!response.ok) byId('outcome').textContent = await refusal(response);
    else location.href = `${form.dataset.jobs}${(await response.json()).jobID}?f=html`;
  });
}

const job = byId('job');
const underWay = (status) => status === 'accepted' || status === 'running';
if (job && underWay(job.dataset.status)) {
  const poll = async () => {
    const response = await fetch(`${job.dataset.href}?f=json`).catch(() => null);
    if (response && response.ok) {
      const status = await response.json();
      if (!underWay(status.status)) return location.reload();
      byId('status').textContent = status.status;
      byId('message').textContent = status.message || '';
      byId('progress').value = status.progress;
    }
    setTimeout(poll, 1000);
  };
  setTimeout(poll, 1000);
  byId('dismiss').addEventListener('click', async () => {
    const response = await fetch(job.dataset.href, { method: 'DELETE', headers: headers({ Accept: 'application/json' }) });
    if (!response.ok) byId('outcome').textContent = await refusal(response);
    else location.reload();
  });
}
