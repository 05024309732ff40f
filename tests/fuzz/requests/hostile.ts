import fc from 'fast-check'
import { MARKUP } from '../world/canary.ts'

/** Texts that break careless framings, encodings, pages and terminals. */
const nastyTexts = [
  '',
  ' ',
  '\0',
  '\n\nevent: forged\ndata: forged\n\n',
  '\r\nset-cookie: forged=1\r\n\r\n',
  '\u2028\u2029\u0085',
  '\ufeff',
  '\ud800',
  'a\udfffb',
  '\u001b[2J\u001b]0;title\u0007',
  '\u202egnp.exe',
  `${MARKUP}script>alert(1)</script>`,
  `"'>${MARKUP}img src=x onerror=alert(1)>`,
  `</title></script>${MARKUP}svg onload=alert(1)>`,
  'javascript:alert(1)',
  '{{7*7}}<%= 7*7 %>',
  "' OR 1=1 --",
  '../../etc/passwd',
  '..%2f..%2f',
  '//evil.example/',
  '\\\\evil.example\\share',
  '__proto__',
  'constructor',
  'toString',
  '%',
  '%00',
  '%ff',
  'x'.repeat(513),
  '😀'.repeat(200),
  'e\u0301'.repeat(300),
] as const

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...nastyTexts) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 20 }) },
)

const numbers = [0, -0, -1, 0.1, 1e-320, 1e21, 2 ** 31, 2 ** 53, -(2 ** 53), 1.7976931348623157e308, 253402300800000]

/** `[[[…]]]`, or the same of objects. */
function nested(depth: number, isArray: boolean): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level += 1) value = isArray ? [value] : { a: value }
  return value
}

/** What stands where something else was expected. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: hostileText },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], ...numbers) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(31, 32, 33, 200), fc.boolean())
      .map(([depth, isArray]) => nested(depth, isArray)),
  },
  { weight: 1, arbitrary: fc.constantFrom(30, 200).map((length) => Array.from({ length }, (_, index) => index)) },
)

/** How a value is changed in one place. */
interface Mutation {
  /** Which of its places, by the rest of a division. */
  place: number
  how: 'replace' | 'delete' | 'add' | 'wrap'
  key: string
  value: unknown
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat({ max: 63 }),
  how: fc.constantFrom('replace', 'replace', 'replace', 'delete', 'add', 'wrap'),
  key: fc.oneof(
    fc.constantFrom('__proto__', 'constructor', 'id', 'type', 'owner', 'epoch', 'version', 'sub'),
    hostileText,
  ),
  value: hostileValue,
})

/** A value of an arbitrary, one of its places changed. */
export function mutated(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(arbitrary, mutation).map(([value, how]) => mutate(value, how))
}

function mutate(value: unknown, { place, how, key, value: by }: Mutation): unknown {
  const copy = structuredClone({ root: value }) as Record<string, unknown>
  const places: [Record<string, unknown>, string][] = []
  const walk = (parent: Record<string, unknown>, name: string) => {
    places.push([parent, name])
    const inner = parent[name]
    if (typeof inner !== 'object' || inner === null || places.length > 40) return
    for (const next of Object.keys(inner)) walk(inner as Record<string, unknown>, next)
  }
  walk(copy, 'root')
  const [parent, name] = places[place % places.length] ?? [copy, 'root']
  const here = parent[name]
  if (how === 'delete' && parent !== copy) delete parent[name]
  else if (how === 'wrap') parent[name] = [here]
  else if (how === 'add' && typeof here === 'object' && here !== null) set(here as Record<string, unknown>, key, by)
  else set(parent, name, by)
  return copy.root
}

/** Sets a key as JSON would: `__proto__` too is one like any other. */
function set(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
}
