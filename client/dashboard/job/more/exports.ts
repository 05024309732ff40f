import type { Item, LogRow } from '../../../../shared/document/job.ts'

const COLUMNS = ['id', 'label', 'status', 'progress', 'message', 'error'] as const

/** Items as a table: CSV by RFC 4180, with a header. */
export function itemsToCsv(items: readonly Item[]): string {
  const rows = items.map((item) => COLUMNS.map((column) => toCell(item[column])).join(','))
  return `${[COLUMNS.join(','), ...rows].join('\r\n')}\r\n`
}

/** Spreadsheets run what begins like a formula (CWE-1236): producers write these texts. */
function toCell(value: string | number | undefined): string {
  if (typeof value !== 'string') return value === undefined ? '' : `${value}`
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Log lines as NDJSON: when, level and message of each. */
export function logToNdjson(logs: readonly LogRow[]): string {
  return logs.map(({ at, level, message }) => `${JSON.stringify({ at, level, message })}\n`).join('')
}

/** Has the browser save a text as a file. */
export function saveFile(name: string, type: string, text: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type }))
  link.download = name
  link.click()
  // The browser has read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
