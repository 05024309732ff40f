import type { AuditRecord } from '../../shared/wire/api.ts'
import type { RequestRecord } from '../http/request/request-log.ts'
import { escapeUnseen } from '../http/request/responses.ts'
import type { OnError } from '../on-error.ts'

/** Writes a request to the server log: as a line for people in a terminal, as JSON elsewhere. */
export function logRequest(record: RequestRecord, isTerminal: boolean): void {
  const line = isTerminal ? lineOf(record) : JSON.stringify(record)
  console.log(escapeUnseen(line))
}

/** Writes a record of the audit to the server log: as a line for people in a terminal, as JSON elsewhere. */
export function logAudit(record: AuditRecord, isTerminal: boolean): void {
  const { at, action, ...rest } = record
  const level = refusals.has(action) ? 'warn' : 'info'
  const words = Object.entries(rest).map(([name, value]) => `${name}=${value}`)
  const line = isTerminal
    ? [at.slice(11, 23), action, ...words].join('  ')
    : JSON.stringify({ at, level, audit: action, ...rest })
  console.log(escapeUnseen(line))
}

const refusals: ReadonlySet<AuditRecord['action']> = new Set(['refused', 'credentials-refused'])

/** Most causes of an error that are written: each may have another, or itself. */
const MAX_CAUSES = 8

/** Writes an error to the server log: as JSON, with its stack and causes, where requests are JSON. */
export const logError =
  (isTerminal: boolean): OnError =>
  (error, request) => {
    const line = { at: new Date().toISOString(), level: 'error', ...request, ...described(error, MAX_CAUSES) }
    if (!isTerminal) console.error(escapeUnseen(JSON.stringify(line)))
    else if (request?.requestId === undefined) console.error(error)
    else console.error(`Request ${request.requestId} failed:`, error)
  }

function described(error: unknown, causes: number): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { message, stack, cause } = error
  return { message, stack, ...(cause !== undefined && causes > 0 && { cause: described(cause, causes - 1) }) }
}

function lineOf({ at, method, path, status, ms, sub, detail }: RequestRecord): string {
  const words = [at.slice(11, 23), status, method, path, `${ms.toFixed(1)} ms`, sub, detail]
  return words.filter((word) => word !== undefined).join('  ')
}
