const UNITS = ['kilobyte', 'megabyte', 'gigabyte', 'terabyte']

/** Bytes for people: `1 byte`, `12.4 kB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  const unit = UNITS[power - 1]
  if (!unit) return countOf(bytes, 'byte')
  const format = new Intl.NumberFormat('en', { style: 'unit', unit, maximumFractionDigits: 1 })
  return format.format(bytes / 1_000 ** power)
}

/** A number of things for people: `1 file`, `1,204 files`. */
export function countOf(count: number, thing: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? thing : `${thing}s`}`
}
