import fc from 'fast-check'
import { hostileText, hostileValue, mutated } from './hostile.ts'

/** What is sent as a body: text or bytes, and the type that it is said to be. */
export interface Body {
  type?: string
  /** Text with places to fill in, or bytes. */
  content: string | Uint8Array<ArrayBuffer>
}

const encoder = new TextEncoder()

/** Types that bodies are said to have: mostly the right one. */
const typeOf = (right: string): fc.Arbitrary<{ type?: string }> =>
  fc.oneof(
    { weight: 20, arbitrary: fc.constant({ type: right }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        {},
        { type: `${right}; charset=utf-8` },
        { type: `${right}; charset=utf-16` },
        { type: `${right};charset="` },
        { type: right.toUpperCase() },
        { type: 'text/plain' },
        { type: 'application/x-www-form-urlencoded' },
        { type: 'application/problem+json' },
        { type: 'multipart/form-data' },
        { type: 'x' },
        { type: '' },
        { type: `${right}, text/html` },
      ),
    },
  )

type Spoil = (text: string) => string | Uint8Array<ArrayBuffer>

const asItIs: Spoil = (text) => text

/** With these bytes at the end of its last text. */
const inLastText =
  (...bytes: number[]): Spoil =>
  (text) => {
    const end = Math.max(0, text.lastIndexOf('"'))
    return Uint8Array.from([...encoder.encode(text.slice(0, end)), ...bytes, ...encoder.encode(text.slice(end))])
  }

/** How JSON is written down: mostly as it is. */
const spoil: fc.Arbitrary<Spoil> = fc.oneof(
  { weight: 30, arbitrary: fc.constant(asItIs) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Spoil>(
      (text) => `\ufeff${text}`,
      (text) => text.slice(0, -1),
      (text) => `${text}${text}`,
      (text) => `${text}\0`,
      // The same key twice: the last one holds.
      (text) => text.replace('{', '{"type":"log","id":"first","message":"first",'),
      (text) => text.replace(/"(\w)/g, "'$1"),
      (text) => text.replaceAll(':', ':\ud800'),
      (text) => `/**/${text}`,
      () => '',
      () => ' ',
      () => 'null',
      () => 'NaN',
      () => '1e999',
      () => '['.repeat(20_000),
      () => `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      inLastText(0xff),
      inLastText(0xed, 0xa0, 0x80),
      (text) => Uint8Array.from([0xff, 0xfe, ...encoder.encode(text)]),
      (text) => Uint8Array.from(Buffer.from(text, 'utf16le')),
    ),
  },
)

/** JSON of these values: two thirds as they are, the rest changed in one place or something else altogether. */
export function jsonBody(values: fc.Arbitrary<unknown>): fc.Arbitrary<Body> {
  const value = fc.oneof(
    { weight: 16, arbitrary: values },
    { weight: 5, arbitrary: mutated(values) },
    { weight: 1, arbitrary: hostileValue },
  )
  return fc
    .tuple(value, spoil, typeOf('application/json'))
    .map(([one, write, type]) => ({ content: write(JSON.stringify(one) ?? ''), ...type }))
}

/** The same as lines. */
export function linesBody(values: fc.Arbitrary<unknown>): fc.Arbitrary<Body> {
  const line = fc.oneof(
    { weight: 8, arbitrary: values.map((value) => JSON.stringify(value) ?? '') },
    { weight: 1, arbitrary: fc.constantFrom('', '\r', '{', '{"type":"log"}{"type":"log"}', 'null', '\u2028') },
  )
  return fc
    .tuple(fc.array(line, { maxLength: 5 }), typeOf('application/x-ndjson'))
    .map(([lines, type]) => ({ content: lines.join('\n'), ...type }))
}

const fileName = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a.txt', 'folder/b.txt', 'names.csv') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '../../../etc/passwd',
      '/etc/shadow',
      'C:\\windows\\system32',
      'a\0.txt',
      'a"; name="sample',
      '%2e%2e%2f',
      '.',
      '..',
      'a/./b',
      'a//b',
      'CON',
      'e\u0301.txt',
      '\u202egnp.exe',
    ),
  },
  { weight: 1, arbitrary: hostileText },
)

const content = fc.oneof(
  fc.constantFrom('', 'name\nAda\nGrace\n', 'name,a\n"Ada,1\n', ',,,,\n'.repeat(50), `name\n${'\ud800,"\n'.repeat(9)}`),
  hostileText,
)

interface Part {
  name: string
  file?: string
  content: string
  more: string
}

const part: fc.Arbitrary<Part> = fc.record(
  {
    name: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('source', 'target', 'files', 'left', 'right', 'sample') },
      { weight: 1, arbitrary: hostileText },
    ),
    file: fileName,
    content: fc.oneof({ weight: 5, arbitrary: content }, { weight: 1, arbitrary: fc.constant('true') }),
    more: fc.constantFrom(
      '',
      'content-type: text/plain\r\n',
      'content-type: multipart/mixed; boundary=b\r\n',
      'content-transfer-encoding: base64\r\n',
      'content-disposition: form-data; name=left\r\n',
      'x: y\n',
      `x: ${'y'.repeat(5_000)}\r\n`,
    ),
  },
  { requiredKeys: ['name', 'content', 'more'] },
)

/** The parts of forms that the services take. */
const goodParts: readonly Part[][] = [
  [{ name: 'source', file: 'folder/a.txt', content: 'a', more: '' }],
  [{ name: 'files', file: 'a.txt', content: 'one two two', more: '' }],
  ['left', 'right'].map((name) => ({ name, file: `${name}.csv`, content: 'name\nAda\nGrace\n', more: '' })),
]

/** Forms, many of them broken: boundaries that are missing or others, parts without end, names with quotes in them. */
export const formBody: fc.Arbitrary<Body> = fc
  .tuple(
    fc.oneof(fc.array(part, { maxLength: 4 }), { weight: 2, arbitrary: fc.constantFrom(...goodParts) }),
    fc.constantFrom('b', 'b', 'b', '----WebKitFormBoundary7MA4', '', 'b b', '"', 'x'.repeat(300)),
    fc.constantFrom('as it is', 'as it is', 'as it is', 'cut', 'no end', 'no boundary', 'another', 'many', 'bare'),
  )
  .map(([parts, boundary, how]) => {
    const write = ({ name, file, content, more }: Part) => {
      const disposition = `form-data; name="${name}"${file === undefined ? '' : `; filename="${file}"`}`
      return `--${boundary}\r\ncontent-disposition: ${disposition}\r\n${more}\r\n${content}\r\n`
    }
    const all = how === 'many' ? Array.from({ length: 200 }, () => parts).flat() : parts
    const text = all.map(write).join('')
    const whole = how === 'no end' ? text : `${text}--${boundary}--\r\n`
    const type =
      how === 'no boundary'
        ? 'multipart/form-data'
        : `multipart/form-data; boundary=${how === 'another' ? 'other' : boundary}`
    return {
      content: how === 'cut' ? whole.slice(0, whole.length / 2) : how === 'bare' ? whole.replaceAll('\r', '') : whole,
      // A header takes no more than this.
      type: /^[\x20-\x7e]*$/.test(type) ? type : 'multipart/form-data',
    }
  })
