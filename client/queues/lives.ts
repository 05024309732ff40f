import type { JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'

/** Which job of which queue a document is about: the field `queue` of its metadata. */
export interface Origin {
  readonly name: string
  /** The store of the queue: two may have jobs with the same ids. */
  readonly source: string
  readonly job: string
  /** When it was added: milliseconds of the queue's clock. A queue may use an id again. */
  readonly added?: number | undefined
  /** When its end was: milliseconds of the queue's clock. An ended job may be started again. */
  readonly ended?: number | undefined
  /** Tries that documents before this one showed. */
  readonly tries?: number | undefined
}

/** Where to look for the document of a job's present life. */
interface NextLife {
  /** What its id ends with. */
  readonly suffix: string
  /** The document before it. */
  readonly retryOf: string
  readonly tries: number
}

/** The origin that a document names, if it was made by a bridge. */
export function originOf({ metadata }: Pick<JobHeader, 'metadata'>): Origin | undefined {
  const { name, source, job, added, ended, tries } = Object(metadata?.queue) as Record<string, unknown>
  if (typeof name !== 'string' || typeof source !== 'string' || typeof job !== 'string') return undefined
  const number = (value: unknown) => (typeof value === 'number' ? value : undefined)
  return { name, source, job, added: number(added), ended: number(ended), tries: number(tries) }
}

/**
 * Which document to look at instead of this one; `undefined` if this one is of the job's present life.
 *
 * @param job the present life; without `added` it is not known, because the queue has removed the job
 */
export function nextLife(header: JobHeader, job: Origin): NextLife | undefined {
  const origin = originOf(header)
  // An app may make the document itself, before its queue's bridge does.
  if (!origin) return undefined
  const { id: retryOf, attempt = 1 } = header
  const tries = (origin.tries ?? 0) + attempt
  if (job.added === undefined) return undefined
  if (origin.source !== job.source || origin.job !== job.job || origin.added !== job.added)
    return { suffix: job.added.toString(36), retryOf, tries: 0 }
  // The server may have ended it: then the job goes on without a document.
  if (!isTerminalStatus(header.status) || origin.ended === undefined || origin.ended === job.ended) return undefined
  return { suffix: origin.ended.toString(36), retryOf, tries }
}

const ALLOWED = /^[A-Za-z0-9_-]$/
/** The longest that the ids of a queue and its job are kept as they are: with a suffix an id has at most 128 characters. */
const ID_LENGTH = 100

/** A name in which no other character is left: the bytes of those are written as `~3a`. */
const escaped = (name: string) =>
  Array.from(new TextEncoder().encode(name), (byte) => {
    const letter = String.fromCharCode(byte)
    return ALLOWED.test(letter) ? letter : `~${byte.toString(16).padStart(2, '0')}`
  }).join('')

/** The id of the document of a queue's job: `exports.17`. No two jobs have the same: a dot is between the two names only. */
export function documentIdOf(queue: string, job: string): string {
  const text = `${escaped(queue)}.${escaped(job)}`
  return text.length <= ID_LENGTH ? text : `${text.slice(0, ID_LENGTH - 15)}.${hashOf(text)}`
}

/** 64 bits of a text, in 13 digits and letters (FNV-1a). */
function hashOf(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (let at = 0; at < text.length; at++)
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n)
  return hash.toString(36).padStart(13, '0')
}
