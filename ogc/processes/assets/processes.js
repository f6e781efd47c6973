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

function inputs(form) {
  const values = {};
  for (const field of form.querySelectorAll('[name]')) {
    if (field.value === '') continue;
    if (field.dataset.type === 'number') values[field.name] = Number(field.value);
    else if (field.dataset.type === 'bbox') values[field.name] = { bbox: field.value.split(',').map(Number) };
    else values[field.name] = field.value;
  }
  return values;
}

const form = byId('execute');
if (form) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const response = await fetch(form.dataset.href, {
      method: 'POST',
      headers: headers({ 'Content-Type': 'application/json', Accept: 'application/json', Prefer: 'respond-async' }),
      body: JSON.stringify({ inputs: inputs(form) }),
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
