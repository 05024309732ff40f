/**
 * Runtime checks of the results of the reference services, which may be of another version. A result that does not match is shown as JSON.
 */
type Check<T> = (value: unknown) => value is T

const isNumber: Check<number> = (value) => typeof value === 'number'
const isText: Check<string> = (value) => typeof value === 'string'
const isFlag: Check<boolean> = (value) => typeof value === 'boolean'

const listOf =
  <T>(check: Check<T>): Check<T[]> =>
  (value): value is T[] =>
    Array.isArray(value) && value.every(check)

const optional =
  <T>(check: Check<T>): Check<T | undefined> =>
  (value): value is T | undefined =>
    value === undefined || check(value)

type Shape = Record<string, Check<unknown>>
type Shaped<S extends Shape> = { [K in keyof S]: S[K] extends Check<infer T> ? T : never }

function shape<S extends Shape>(fields: S): Check<Shaped<S>> {
  return (value): value is Shaped<S> =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]))
}

type Checked<C> = C extends Check<infer T> ? T : never

export const isSyncResult = shape({
  files: isNumber,
  copied: isNumber,
  skipped: isNumber,
  failed: isNumber,
  bytesCopied: isNumber,
  extra: isNumber,
})
export type SyncShape = Checked<typeof isSyncResult>

export const isAnalysisResult = shape({
  files: isNumber,
  bytes: isNumber,
  words: isNumber,
  distinct: isNumber,
  approximate: isFlag,
  top: listOf(shape({ word: isText, count: isNumber })),
  longest: listOf(isText),
  table: listOf(
    shape({ name: isText, bytes: isNumber, words: isNumber, distinct: isNumber, typical: optional(isText) }),
  ),
})
export type AnalysisShape = Checked<typeof isAnalysisResult>

const isList = shape({ name: isText, records: isNumber })

export const isMatchingResult = shape({
  left: isList,
  right: isList,
  linked: isNumber,
  exact: isNumber,
  weakest: listOf(shape({ left: isText, right: isText, confidence: isNumber })),
  unlinkedLeft: listOf(isText),
  unlinkedRight: listOf(isText),
})
export type MatchingShape = Checked<typeof isMatchingResult>
