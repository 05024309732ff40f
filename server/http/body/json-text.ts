const QUOTE = 0x22
const BACKSLASH = 0x5c
/** The `u` of `\u0041`. */
const UNICODE_ESCAPE = 0x75

/** The properties of a JSON text that decide what parsing it costs. */
interface JsonShape {
  /** Characters of the longest event without white space: the text, or an element if it is an array. */
  longest: number
  /** Events: 1, or the elements if the text is an array. */
  events: number
  /** Characters within arrays and objects of all events, their results and metadata: without white space, an escape as one. */
  nested: number
  /** Most fields of an event. */
  fields: number
  /** The name of the first field that is nested too deeply: `result`, or `3.result` in a batch. */
  tooDeep?: string
}

/**
 * Measures a JSON text without parsing it. A megabyte takes some milliseconds; to parse one of brackets only takes a hundred.
 *
 * The result for invalid JSON is arbitrary: the parser refuses it.
 *
 * @param mostDepth levels of arrays and objects within an event
 * @param own depth of an event's own fields: 1 in an event, 2 in an array of them, 3 in a batch with a field of them; found by default
 */
export function shapeOf(text: string, mostDepth: number, own = text.trimStart().startsWith('[') ? 2 : 1): JsonShape {
  let depth = 0
  let index = 0
  let longest = 0
  let size = 0
  let key = ''
  let nested = 0
  let nestedFrom = 0
  /** Index of the next escape. */
  let nextEscape = text.indexOf('\\')
  /** What the escapes of the event take beyond one character each. */
  let escaped = 0
  let fields = 0
  let mostFields = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at)
        if (depth === own) key = text.slice(at + 1, end)
        size += end + 1 - at
        while (nextEscape >= 0 && nextEscape < end) {
          const length = text.charCodeAt(nextEscape + 1) === UNICODE_ESCAPE ? 6 : 2
          escaped += length - 1
          nextEscape = text.indexOf('\\', nextEscape + length)
        }
        at = end
        break
      }
      case 0x5b: // [
      case 0x7b: // {
        depth += 1
        if (depth === own) key = ''
        else if (depth === own + 1) nestedFrom = size - escaped
        size += 1
        if (depth - own >= mostDepth) {
          return {
            longest,
            events: index + 1,
            nested,
            fields: mostFields,
            tooDeep: fieldOf(own > 1 ? `${index}` : '', key),
          }
        }
        break
      case 0x5d: // ]
      case 0x7d: // }
        size += 1
        if (depth === own + 1) nested += size - escaped - nestedFrom
        depth -= 1
        break
      case 0x3a: // :
        size += 1
        if (depth === own) mostFields = Math.max(mostFields, ++fields)
        break
      case 0x20:
      case 0x09:
      case 0x0a:
      case 0x0d:
        break
      case 0x2c: // ,
        size += 1
        if (depth !== own - 1) break
        longest = Math.max(longest, size)
        size = 0
        escaped = 0
        fields = 0
        index += 1
        break
      default:
        size += 1
    }
  }
  return { longest: Math.max(longest, size), events: index + 1, nested, fields: mostFields }
}

const fieldOf = (...path: string[]): string => path.filter((part) => part !== '').join('.') || 'event'

/** Characters read in one step: some hundred microseconds. */
const STEP_LENGTH = 64 * 1_024

/**
 * Splits a JSON array into the texts of its elements without parsing them, in steps.
 *
 * @param most elements; the rest is not read
 * @returns the elements, which may be invalid JSON; `undefined` for a text that is not an array
 */
export function* elementsOf(text: string, most: number): Generator<undefined, string[] | undefined> {
  const elements: string[] = []
  let at = text.length - text.trimStart().length
  if (text[at] !== '[') return undefined
  let depth = 0
  let start = at + 1
  let isInString = false
  for (let step = at + STEP_LENGTH; at < text.length; at++) {
    if (at >= step) {
      step = at + STEP_LENGTH
      yield
    }
    if (isInString) {
      const quote = text.indexOf('"', at)
      if (quote < 0) return undefined
      at = quote
      isInString = isEscaped(text, quote)
      continue
    }
    switch (text.charCodeAt(at)) {
      case QUOTE:
        isInString = true
        break
      case 0x5b: // [
      case 0x7b: // {
        depth += 1
        break
      case 0x2c: // ,
        if (depth !== 1) break
        elements.push(text.slice(start, at))
        if (elements.length === most) return elements
        start = at + 1
        break
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1
        if (depth > 0) break
        if (text[at] !== ']' || text.slice(at + 1).trim() !== '') return undefined
        if (elements.length > 0 || text.slice(start, at).trim() !== '') elements.push(text.slice(start, at))
        return elements
    }
  }
  return undefined
}

/** Index of the closing quote of a string. @param at index of its opening quote */
function endOfString(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    if (!isEscaped(text, end)) return end
  }
  return text.length - 1
}

/** Whether an odd number of backslashes stands before a quote. */
function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1
  return backslashes % 2 === 1
}
