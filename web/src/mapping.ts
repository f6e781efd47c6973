// The "map this event" box: settings, progress, result and its downloads.
import * as api from './api';
import { el, toast } from './dom';
import { area, count, percent } from './format';

export interface MappingBox {
  element: HTMLElement;
  setEvent(event: api.ScarpEvent): void;
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

  const model = el('select', { id: 'model', onchange: () => chooseModel() }, ...models.map((m) => el('option', { value: m.name }, m.title || m.name)));
  const threshold = el('input', { id: 'threshold', type: 'range', min: '0.05', max: '0.95', step: '0.05', oninput: () => showThreshold() });
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
    onModel(model.value);
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
    setEvent(chosen) {
      event = chosen;
      result.hidden = true;
      if (chosen.model) model.value = chosen.model;
      threshold.value = String(models.find((m) => m.name === model.value)?.threshold ?? 0.5);
      showThreshold();
    },
  };
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
