// Numbers and dates as people read them.

const integer = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

export const count = (n: number): string => integer.format(n);

/** area writes square metres as m², ha or km². */
export function area(m2: number): string {
  if (m2 < 10_000) return `${integer.format(m2)} m²`;
  if (m2 < 1_000_000) return `${decimal.format(m2 / 10_000)} ha`;
  return `${decimal.format(m2 / 1_000_000)} km²`;
}

export const percent = (share: number): string => `${decimal.format(100 * share)} %`;

export function date(value?: string | null): string {
  if (!value) return 'unknown date';
  const parsed = new Date(value);
  return Number.isNaN(parsed.getTime())
    ? value
    : parsed.toLocaleDateString('en', { year: 'numeric', month: 'short', day: 'numeric', timeZone: 'UTC' });
}

const winds = ['N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW'];
export const compass = (degrees: number): string => `${winds[Math.round(degrees / 45) % 8]} (${integer.format(degrees)}°)`;
