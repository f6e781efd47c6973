// The part of the server's API that the page uses, as types and calls.

export interface Scene {
  path: string;
  date?: string;
}

export interface ScarpEvent {
  id: string;
  title: string;
  description?: string;
  trigger: { time?: string; type?: string };
  pre: Scene[];
  post: Scene[];
  model?: string;
}

export interface Model {
  name: string;
  title: string;
  threshold: number;
  default?: boolean;
}

/** ModelFit says how a model suits an event. */
export interface ModelFit {
  name: string;
  title: string;
  kind: string;
  default: boolean;
  usable: boolean;
  lacks?: string[];
  notes?: string[];
  quality?: {
    missing?: { date?: string; input: string; instead: string }[];
    levels?: { date: string; is: string; wanted: string }[];
    clouds?: { date: string; by: string }[];
    cost?: { missing: string[]; f1: number; f1_complete?: number; split?: string; fit: 'exact' | 'more' | 'less' };
  };
}

export interface Collection {
  id: string;
  title: string;
  extent?: { spatial?: { bbox: number[][] }; temporal?: { interval: (string | null)[][] } };
}

export interface Job {
  jobID: string;
  status: 'accepted' | 'running' | 'successful' | 'failed' | 'dismissed';
  message?: string;
  progress?: number;
}

export interface Summary {
  landslides: number;
  total_area_m2: number;
  largest_area_m2: number;
  mapped_area_m2: number;
  cloud_share: number;
  nodata_share: number;
}

/** ApiError carries what the server said in its problem document. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfter: number,
  ) {
    super(message);
  }
}

const keyName = 'scarp-api-key';

/** base is the folder that the page was loaded from, so that a path prefix of a proxy is kept. */
export const base = new URL('.', document.baseURI).href.replace(/\/$/, '');

export function setApiKey(key: string): void {
  sessionStorage.setItem(keyName, key);
}

async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  const headers = new Headers(init.headers);
  headers.set('Accept', 'application/json');
  const key = sessionStorage.getItem(keyName);
  if (key && init.method && init.method !== 'GET') headers.set('X-API-Key', key);
  const response = await fetch(path.startsWith('http') ? path : base + path, { ...init, headers });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new ApiError(
      response.status,
      problem.detail || problem.title || `${response.status} ${response.statusText}`,
      Number(response.headers.get('Retry-After') ?? 0),
    );
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export async function events(): Promise<ScarpEvent[]> {
  return (await call<{ events: ScarpEvent[] }>('/events')).events;
}

/** fits returns how each model suits the event; none where its files can't be opened. */
export async function fits(event: string): Promise<ModelFit[]> {
  return (await call<{ models?: ModelFit[] }>(`/events/${event}?f=json`)).models ?? [];
}

export async function models(): Promise<Model[]> {
  return (await call<{ models: Model[] }>('/models')).models;
}

export function collection(event: string, layer: string): Promise<Collection> {
  return call<Collection>(`/collections/${event}_${layer}?f=json`);
}

/** landslides returns the largest polygons of the event's latest run and how many there are. */
export async function landslides(event: string, limit: number): Promise<GeoJSON.FeatureCollection & { numberMatched: number }> {
  return call(`/collections/${event}_landslides/items?limit=${limit}&f=json`);
}

export function landslide(event: string, id: number | string): Promise<GeoJSON.Feature> {
  return call(`/collections/${event}_landslides/items/${id}?f=json`);
}

export interface MappingInputs {
  event: string;
  model?: string;
  threshold?: number;
  minimumArea?: number;
  aoi?: GeoJSON.Geometry;
}

export function startMapping(inputs: MappingInputs): Promise<Job> {
  return call<Job>('/processes/map-landslides/execution', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Prefer: 'respond-async' },
    body: JSON.stringify({ inputs, outputs: { summary: {} } }),
  });
}

export function job(id: string): Promise<Job> {
  return call<Job>(`/jobs/${id}?f=json`);
}

export function dismiss(id: string): Promise<Job> {
  return call<Job>(`/jobs/${id}`, { method: 'DELETE' });
}

export function summary(id: string): Promise<Summary> {
  return call<Summary>(`/jobs/${id}/results/summary`);
}

export const tileURL = (event: string, layer: string, model?: string): string =>
  `${base}/collections/${event}_${layer}/map/tiles/WebMercatorQuad/{z}/{y}/{x}?f=png${model ? `&model=${encodeURIComponent(model)}` : ''}`;

/** vectorTileURL names a version: tiles of an earlier run may still be in the browser's cache. */
export const vectorTileURL = (event: string, version: string): string =>
  `${base}/collections/${event}_landslides/tiles/WebMercatorQuad/{z}/{y}/{x}?f=mvt&v=${version}`;

export const legendURL = (event: string, layer: string): string =>
  `${base}/wms?service=WMS&version=1.3.0&request=GetLegendGraphic&format=image/png&layer=${event}_${layer}`;
