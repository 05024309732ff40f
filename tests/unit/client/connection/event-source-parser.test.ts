import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { EventSourceParser } from '../../../../client/connection/event-source-parser.ts'
import { encodeComment, encodeMessage, encodeRetry } from '../../../../shared/wire/sse.ts'
import { json } from '../../../arbitraries.ts'

/** Everything that a parser tells of pieces of a stream. */
function parse(pieces: readonly string[], limit?: number): unknown[] {
  const told: unknown[] = []
  const parser = new EventSourceParser(
    { onMessage: (message) => told.push(message), onRetry: (ms) => told.push({ retry: ms }) },
    limit,
  )
  for (const piece of pieces) parser.feed(piece)
  return told
}

describe('EventSourceParser', () => {
  test('EventSourceParser reads name, data and id, and keeps the id for the messages after', () => {
    expect(parse(['event: patch\nid: k3x9-2\ndata: {}\n\ndata: next\n\n'])).toEqual([
      { event: 'patch', data: '{}', id: 'k3x9-2' },
      { event: 'message', data: 'next', id: 'k3x9-2' },
    ])
  })

  test('EventSourceParser joins the lines of data with LF', () => {
    expect(parse(['data: a\ndata\ndata:b\ndata:  c\n\n'])).toEqual([{ event: 'message', data: 'a\n\nb\n c', id: '' }])
  })

  test('EventSourceParser takes CR, LF and CRLF for the end of a line', () => {
    expect(parse(['event: a\rdata: 1\r\rdata: 2\r\n\r\ndata: 3\n\n'])).toEqual([
      { event: 'a', data: '1', id: '' },
      { event: 'message', data: '2', id: '' },
      { event: 'message', data: '3', id: '' },
    ])
  })

  test('EventSourceParser takes a CRLF that was cut in two for one end of a line', () => {
    expect(parse(['data: 1\r', '\ndata: 2\r', '\n\r', '\n'])).toEqual([{ event: 'message', data: '1\n2', id: '' }])
  })

  test('EventSourceParser drops a byte order mark at the very start, and nowhere else', () => {
    expect(parse(['', '\ufeffdata: 1\n\n', '\ufeffdata: 2\n\n'])).toEqual([{ event: 'message', data: '1', id: '' }])
  })

  test('EventSourceParser ignores comments, unknown fields, an id with NUL and a retry that is no number', () => {
    expect(parse([': hello\nfoo: bar\nid: 1\nid: 2\0\nretry: 3s\nretry:\nretry: 3127\ndata: x\n\n'])).toEqual([
      { retry: 3127 },
      { event: 'message', data: 'x', id: '1' },
    ])
  })

  test('EventSourceParser tells no message that has no data, and forgets its name', () => {
    expect(parse(['event: ghost\n\ndata: x\n\n'])).toEqual([{ event: 'message', data: 'x', id: '' }])
    expect(parse(['data\n\n'])).toEqual([{ event: 'message', data: '', id: '' }])
  })

  test('EventSourceParser tells no message that was cut off', () => {
    expect(parse(['data: whole\n\ndata: cut off\n'])).toEqual([{ event: 'message', data: 'whole', id: '' }])
  })

  test('EventSourceParser tells the same, wherever the stream is cut', () => {
    const line = fc.oneof(
      fc.constantFrom('data: 1', 'data:', 'data', 'id: 7', 'id: \0', 'event: a', ': comment', 'retry: 5', '', '', ''),
      fc.string({ unit: fc.constantFrom('d', 'a', 't', ':', ' ', '\ufeff', 'é', '😀'), maxLength: 8 }),
    )
    const stream = fc
      .array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 30 })
      .map((lines) => lines.map(([text, end]) => text + end).join(''))
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 20 }), (text, cuts) => {
        const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length]
        const pieces = places.slice(1).map((place, index) => text.slice(places[index], place))
        expect(pieces.join('')).toBe(text)
        expect(parse(pieces)).toEqual(parse([text]))
        expect(parse([...text].flatMap((character) => character.split('')))).toEqual(parse([text]))
      }),
    )
  })

  test('EventSourceParser reads what the server encodes, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(json, { maxLength: 5 }), (values) => {
        const text = values.map((data, index) => encodeMessage({ event: 'log', id: `e-${index}`, data })).join('')
        const told = parse([encodeRetry(1_234), encodeComment('a\nb'), text]).map((one) =>
          typeof one === 'object' && one && 'data' in one ? { ...one, data: JSON.parse(String(one.data)) } : one,
        )
        expect(told).toEqual([
          { retry: 1_234 },
          ...values.map((data, index) => ({ event: 'log', id: `e-${index}`, data })),
        ])
      }),
    )
  })

  test('EventSourceParser takes a message up to its limit', () => {
    const line = 'data: 12345'
    expect(parse([`${line}\n\n`.slice(0, 6), `${line}\n\n`.slice(6)], 11)).toHaveLength(1)
  })

  test('EventSourceParser throws at a line that never ends', () => {
    expect(() => parse(['data: 1234', '567890'], 12)).toThrow(RangeError)
  })

  test('EventSourceParser throws at data that never ends', () => {
    const parser = new EventSourceParser({ onMessage: () => {} }, 12)
    expect(() => {
      for (let lines = 0; lines < 5; lines++) parser.feed('data: 1234\n')
    }).toThrow(RangeError)
  })
})
