const COUNT = new Intl.NumberFormat('en')
// Making a format takes longer than a hundred uses of it.
const FORMATS = ['kilobyte', 'megabyte', 'gigabyte', 'terabyte'].map(
  (unit) => new Intl.NumberFormat('en', { style: 'unit', unit, maximumFractionDigits: 1 }),
)

/** Between a number and its unit, so that no line ends there. */
const NO_BREAK = '\u00a0'

/** Bytes for people: `1 byte`, `12.4 kB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(FORMATS.length, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  const text = FORMATS[power - 1]?.format(bytes / 1_000 ** power) ?? countOf(bytes, 'byte')
  return text.replace(' ', NO_BREAK)
}

/** A number of things for people: `1 file`, `1,204 files`. */
export function countOf(count: number, thing: string): string {
  return `${COUNT.format(count)} ${count === 1 ? thing : `${thing}s`}`
}

/** Seconds for people: `15 s`. */
export function formatSeconds(seconds: number): string {
  return `${COUNT.format(seconds)}${NO_BREAK}s`
}
