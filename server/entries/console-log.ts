import type { RequestRecord } from '../http/request-log.ts'
import { escapeUnseen } from '../http/responses.ts'

/** Writes a request to the server log: as a line for people in a terminal, as JSON elsewhere. */
export function logRequest(record: RequestRecord, isTerminal: boolean): void {
  const line = isTerminal ? lineOf(record) : JSON.stringify(record)
  console.log(escapeUnseen(line))
}

/** Writes an error to the server log: as JSON, with its stack, where requests are JSON. */
export function logError(error: unknown, isTerminal: boolean): void {
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  const line = { at: new Date().toISOString(), level: 'error', message, stack }
  console.error(isTerminal ? error : escapeUnseen(JSON.stringify(line)))
}

function lineOf({ at, method, path, status, ms, sub, detail }: RequestRecord): string {
  const words = [at.slice(11, 23), status, method, path, `${ms.toFixed(1)} ms`, sub, detail]
  return words.filter((word) => word !== undefined).join('  ')
}
