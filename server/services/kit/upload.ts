import { fitsUtf8 } from '../../../shared/document/text-size.ts'
import { problems, refuse } from '../../errors.ts'
import { countOf } from './amounts.ts'
import { MAX_PACE_SECONDS } from './pace.ts'
import { pathProblem } from './path-problem.ts'
import { clip, reasonOf } from './untrusted-text.ts'

/** Most files of one field. */
const MAX_FILES = 5_000
/** Most bytes of a path: those of an item's id. */
const PATH_BYTES = 512

/** Refuses unknown fields of a form: a misspelt one would be ignored silently. */
export function requireFields(form: FormData, known: readonly string[]): void {
  for (const field of new Set(form.keys())) {
    if (known.includes(field)) continue
    throw refused(clip(field, 100), `is not a field of this form. It has: ${known.join(', ')}`)
  }
}

/**
 * Whether a form asks for the sample instead of bringing files.
 *
 * @throws ProblemError for both, or for another value
 */
export function asksForSample(form: FormData): boolean {
  const values = form.getAll('sample')
  if (values.length === 0) return false
  if (values.length > 1 || values[0] !== 'true') throw refused('sample', 'must be "true" or left out')
  if ([...form.keys()].some((field) => field !== 'sample' && field !== 'paceSeconds')) {
    throw refused('sample', 'goes without files: send one or the other')
  }
  return true
}

/**
 * The pace in a form, if any.
 *
 * @throws ProblemError for anything but a number of seconds
 */
export function paceOf(form: FormData): { paceSeconds: number } | undefined {
  const [value, ...others] = form.getAll('paceSeconds')
  if (value === undefined) return undefined
  const seconds = typeof value === 'string' && /^[0-9]{1,4}$/.test(value) ? Number(value) : 0
  if (others.length > 0 || seconds < 1 || seconds > MAX_PACE_SECONDS) {
    throw refused('paceSeconds', `must be one whole number of seconds, from 1 to ${MAX_PACE_SECONDS}, or left out`)
  }
  return { paceSeconds: seconds }
}

/**
 * The sample that a form asks for.
 *
 * @throws ProblemError when this server has none
 */
export function requireSample<T>(sample: T | undefined): T {
  if (sample === undefined) throw refused('sample', 'is not on this server. Send files of your own.')
  return sample
}

/** Converts the failure of a check to a refusal of the checked field. */
export async function requireGood(field: string, check: Promise<void>): Promise<void> {
  await check.catch((error) => {
    throw refused(field, reasonOf(error))
  })
}

/** The files that a field must have. */
interface FilesWanted {
  /** 0 if the field is optional. */
  least: 0 | 1
  most?: number
  /** Awaited for each file: see {@link createCheckpoint}. */
  checkpoint: () => Promise<void>
}

/**
 * The files of a field. Each is named by its path in the upload, in Unicode NFC.
 *
 * @throws ProblemError for too few or too many, and for a path that is unsafe, too long or a duplicate
 */
export async function uploadedFiles(
  form: FormData,
  field: string,
  { least, most = MAX_FILES, checkpoint }: FilesWanted,
): Promise<File[]> {
  // Browsers send an empty field as a file without name and content.
  const values = form.getAll(field).filter((value) => typeof value === 'string' || value.name || value.size > 0)
  if (values.length < least) throw refused(field, 'needs a file')
  if (values.length > most) throw refused(field, `takes ${countOf(most, 'file')} at most, and got ${values.length}`)
  const files = new Map<string, File>()
  for (const value of values) {
    await checkpoint()
    if (typeof value === 'string') throw refused(field, 'must be a file')
    const path = (value.name ?? '').replaceAll('\\', '/').normalize('NFC')
    const problem = uploadProblem(path) ?? (files.has(path) ? 'is there twice' : undefined)
    if (problem) throw refused(field, `“${clip(path, 100)}” ${problem}`)
    files.set(path, new File([value], path, { type: value.type }))
  }
  return [...files.values()]
}

/** The one file of a field: see {@link uploadedFiles}. */
export async function uploadedFile(form: FormData, field: string): Promise<File> {
  const [file] = await uploadedFiles(form, field, { least: 1, most: 1, checkpoint: async () => {} })
  if (!file) throw refused(field, 'needs a file')
  return file
}

function uploadProblem(path: string): string | undefined {
  if (!fitsUtf8(path, PATH_BYTES)) return `is a path of more than ${PATH_BYTES} bytes`
  if (path.trim() === '') return 'is a file without a name'
  if (/\p{Cc}/u.test(path)) return 'has control characters in its path'
  const problem = pathProblem(path)
  return problem && `is not a path within the upload: it ${problem}`
}

function refused(field: string, detail: string): Error {
  return refuse(problems.invalid([{ field, detail }]))
}
