// The "map this event" box: settings, progress, result and its downloads.
import * as api from './api';
import { el, toast } from './dom';
import { area, count, percent } from './format';

export interface MappingBox {
  element: HTMLElement;
  setEvent(event: api.ScarpEvent): void;
  /** model returns the model to show where it is not the event's own. */
  model(): string | undefined;
}

interface Options {
  models: api.Model[];
  visibleBounds(): number[];
  onModel(model: string): void;
  onPublished(event: string): void;
}

/** mappingBox runs the process map-landslides for an event and follows its job. */
export function mappingBox({ models, visibleBounds, onModel, onPublished }: Options): MappingBox {
  let event: api.ScarpEvent | undefined;
  let running: string | undefined;
  let fits: api.ModelFit[] = [];

  const model = el('select', { id: 'model', onchange: () => chooseModel() }, ...models.map((m) => el('option', { value: m.name }, m.title || m.name)));
  const note = el('div', { class: 'quiet', id: 'quality', role: 'note', hidden: true });
  const threshold = el('input', { id: 'threshold', type: 'range', min: '0.05', max: '0.95', step: '0.01', oninput: () => showThreshold() });
  const thresholdValue = el('output', {});
  const minimumArea = el('input', { id: 'minimum-area', type: 'number', min: '0', step: '100', value: '500' });
  const onlyVisible = el('input', { id: 'only-visible', type: 'checkbox' });
  const start = el('button', { class: 'primary', id: 'map-event', onclick: () => void run() }, 'Map this event');
  const bar = el('progress', { max: 100, value: 0, 'aria-label': 'Progress of the mapping job' });
  const message = el('p', { class: 'quiet', id: 'job-message' });
  const stop = el('button', { onclick: () => void cancel() }, 'Stop');
  const progress = el('div', { class: 'progress', hidden: true }, bar, message, stop);
  const result = el('div', { class: 'result', id: 'job-result', hidden: true });

  const showThreshold = (): void => void (thresholdValue.value = Number(threshold.value).toFixed(2));
  function chooseModel(): void {
    const chosen = models.find((m) => m.name === model.value);
    threshold.value = String(chosen?.threshold ?? 0.5);
    showThreshold();
    showQuality();
    onModel(model.value);
  }

  // What the event lacks of what the model expects, and what that costs.
  function showQuality(): void {
    const fit = fits.find((f) => f.name === model.value);
    const lines = fit && !fit.usable ? [`This model can't map this event: it needs ${fit.lacks?.join('; ')}.`] : qualityOf(fit?.quality);
    note.replaceChildren(
      ...lines.map((line) => el('p', {}, line)),
      ...(lines.length ? [el('a', { href: `${api.base}/models/${model.value}?f=html` }, 'About the model')] : []),
    );
    note.hidden = lines.length === 0;
    start.disabled = running !== undefined || fit?.usable === false;
  }

  async function askFits(id: string): Promise<void> {
    const found = await api.fits(id).catch(() => []);
    if (event?.id !== id) return;
    fits = found;
    for (const option of model.options) option.disabled = fits.some((f) => f.name === option.value && !f.usable);
    const before = model.value;
    if (model.selectedOptions[0]?.disabled) model.value = fits.find((f) => f.usable)?.name ?? model.value;
    if (model.value !== before) chooseModel();
    else showQuality();
  }

  async function run(): Promise<void> {
    if (!event) return;
    const mapped = event.id;
    start.disabled = true;
    result.hidden = true;
    try {
      const inputs: api.MappingInputs = {
        event: mapped,
        model: model.value || undefined,
        threshold: Number(threshold.value),
        minimumArea: Number(minimumArea.value),
      };
      if (onlyVisible.checked) inputs.aoi = rectangle(visibleBounds());
      let state = await withKey(() => api.startMapping(inputs));
      running = state.jobID;
      progress.hidden = false;
      while (state.status === 'accepted' || state.status === 'running') {
        bar.value = state.progress ?? 0;
        message.textContent = state.message || (state.status === 'accepted' ? 'Waiting for a free worker' : 'Working');
        await new Promise((resolve) => setTimeout(resolve, 500));
        state = await api.job(running);
      }
      if (state.status === 'successful') {
        showResult(mapped, state.jobID, await api.summary(state.jobID));
        onPublished(mapped);
      } else if (state.status === 'failed') {
        result.replaceChildren(el('p', { class: 'error' }, `Mapping failed: ${state.message ?? 'no reason given'}`));
        result.hidden = false;
      }
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
    } finally {
      running = undefined;
      start.disabled = false;
      showQuality();
      progress.hidden = true;
    }
  }

  async function cancel(): Promise<void> {
    if (!running) return;
    const id = running;
    message.textContent = 'Stopping';
    await withKey(() => api.dismiss(id)).catch((error: Error) => toast(error.message));
  }

  function showResult(mapped: string, id: string, s: api.Summary): void {
    const download = (output: string, label: string): HTMLElement =>
      el('a', { href: `${api.base}/jobs/${id}/results/${output}`, download: `${mapped}-${output}` }, label);
    result.replaceChildren(
      el('p', {}, el('strong', {}, count(s.landslides)), s.landslides === 1 ? ' landslide, ' : ' landslides, ', area(s.total_area_m2)),
      el('p', { class: 'quiet' }, `Largest ${area(s.largest_area_m2)}. Cloud hid ${percent(s.cloud_share)} of the area.`),
      el('p', { class: 'downloads' }, download('landslides', 'GeoJSON'), download('geopackage', 'GeoPackage'), download('mask', 'Mask'), download('probability', 'Probability')),
    );
    result.hidden = false;
  }

  const element = el(
    'section',
    {},
    el('h2', {}, 'Map the landslides'),
    el('label', { htmlFor: 'model' }, 'Model'),
    model,
    note,
    el('label', { htmlFor: 'threshold' }, 'Probability at least ', thresholdValue),
    threshold,
    el('label', { htmlFor: 'minimum-area' }, 'Smallest landslide (m²)'),
    minimumArea,
    el('label', { class: 'check' }, onlyVisible, 'Only the area in view'),
    start,
    progress,
    result,
  );
  return {
    element,
    model: () => (model.value === (models.find((m) => m.default)?.name ?? '') && !event?.model ? undefined : model.value),
    setEvent(chosen) {
      event = chosen;
      result.hidden = true;
      fits = [];
      for (const option of model.options) option.disabled = false;
      model.value = chosen.model || (models.find((m) => m.default)?.name ?? model.value);
      showQuality();
      void askFits(chosen.id);
      threshold.value = String(models.find((m) => m.name === model.value)?.threshold ?? 0.5);
      showThreshold();
    },
  };
}

/** qualityOf says in words what an event lacks. */
function qualityOf(quality: api.ModelFit['quality']): string[] {
  if (!quality) return [];
  const lines: string[] = [];
  const missing = [...new Set((quality.missing ?? []).map((gap) => gap.input))];
  if (missing.length) {
    const cost = quality.cost;
    const measured =
      cost && cost.f1_complete
        ? `: F1 ${cost.f1.toFixed(2)} instead of ${cost.f1_complete.toFixed(2)}${cost.fit === 'exact' ? '' : ` without ${cost.missing.join(', ')}`}${cost.split ? `, on ${cost.split}` : ''}.`
        : ': see the model’s card.';
    lines.push(`Missing: ${missing.join(', ')}. This lowers accuracy${measured}`);
  }
  for (const level of quality.levels ?? []) lines.push(`The images ${level.date === 'pre' ? 'before' : 'after'} are ${level.is}; the model was made for ${level.wanted}.`);
  if (quality.clouds?.some((mask) => mask.by === 'none')) lines.push('Nothing tells clouds in these images: they may be taken for landslides.');
  return lines;
}

// Writing may need a key. It is asked for once and kept for this tab only.
async function withKey<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof api.ApiError) || error.status !== 401) throw error;
    const key = prompt('This server needs an API key to start a mapping job. Your key:');
    if (!key) throw error;
    api.setApiKey(key.trim());
    return request();
  }
}

function rectangle([west, south, east, north]: number[]): GeoJSON.Polygon {
  return {
    type: 'Polygon',
    coordinates: [
      [
        [west, south],
        [east, south],
        [east, north],
        [west, north],
        [west, south],
      ],
    ],
  };
}
